(() => {
  // Forms with data-passkey: "prove" asks for an authenticator's assertion, "register" for a new credential; the answer goes in the
  // form's own fields, and the form on its way.
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join('')).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const keys = (list) => list.map((id) => ({ type: 'public-key', id: bytes(id) }));

  const prove = (o) => navigator.credentials.get({
    publicKey: { challenge: bytes(o.challenge), rpId: o.rp, timeout: 300000, allowCredentials: keys(o.credentials), userVerification: o.verification },
  });
  const register = (o) => navigator.credentials.create({
    publicKey: {
      challenge: bytes(o.challenge), rp: { id: o.rp, name: o.rp }, timeout: 300000, attestation: o.attestation,
      user: { id: bytes(o.handle), name: o.user, displayName: o.user }, excludeCredentials: keys(o.credentials),
      pubKeyCredParams: [-7, -8, -35, -257].map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { residentKey: 'preferred', userVerification: o.verification },
    },
  });

  const options = async (form) => {
    const fields = new URLSearchParams({ form: form.elements.form.value, purpose: form.dataset.passkey });
    if (form.elements.link) fields.set('link', form.elements.link.value);
    if (form.elements.session) fields.set('session', '1');
    const response = await fetch('/.sekisho/passkey/options', { method: 'POST', body: fields });
    return response.json();
  };

  const run = async (form) => {
    const offer = await options(form);
    if (offer.go) {
      location.assign(offer.go);
      return;
    }
    if (!offer.challenge) throw new Error(offer.reason);
    const credential = await (form.dataset.passkey === 'register' ? register : prove)(offer);
    const answer = credential.response;
    const set = (name, value) => { form.elements[name].value = value; };
    set('challenge', offer.challenge);
    set('credential', text(credential.rawId));
    set('client_data', text(answer.clientDataJSON));
    set('object', text(answer.attestationObject || answer.authenticatorData));
    set('signature', answer.signature ? text(answer.signature) : '');
    set('handle', answer.userHandle ? text(answer.userHandle) : '');
    form.submit();
  };

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    if (!window.PublicKeyCredential) continue;
    const button = form.querySelector('button');
    const message = form.querySelector('[role=alert]');
    form.hidden = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      button.disabled = true;
      message.hidden = true;
      run(form).catch(() => { message.hidden = false; }).finally(() => { button.disabled = false; });
    });
  }
})();
