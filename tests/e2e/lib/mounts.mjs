// Small file systems for tests that fill one. The test file that calls privately() goes on in a mount namespace of its
// own: nothing of it is mounted for anybody else, and all of it is gone when the file's process is.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

// To be awaited before any test is defined. Needs root, and util-linux.
export function privately(url) {
  if (process.env.SEKISHO_PRIVATE_MOUNTS === String(process.ppid)) {
    return;
  }
  // In a chroot whose root is no mount point the kernel cannot make it private; it is then left as it is, and unmounted at the end.
  const own = spawnSync('unshare', ['--mount', '--propagation', 'private', 'true']).status === 0 ? 'private' : 'unchanged';
  const { status, error } = spawnSync('sh', ['-c', `export SEKISHO_PRIVATE_MOUNTS=$$; unshare --mount --propagation ${own} "$@"; exit $?`, 'sh',
    process.execPath, ...process.execArgv, fileURLToPath(url)], { stdio: 'inherit' });
  if (error) {
    throw error;
  }
  process.exit(status ?? 1);
}

export function mountSmall(folder, size) {
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0755`, 'tmpfs', folder]);
  return { fill() {
    const ballast = fs.openSync(`${folder}/ballast`, 'w');
    const block = Buffer.alloc(4096, 1);
    try {
      for (;;) {
        fs.writeSync(ballast, block);
      }
    } catch (error) {
      if (error.code !== 'ENOSPC') {
        throw error;
      }
    } finally {
      fs.closeSync(ballast);
    }
  }, free() {
    fs.rmSync(`${folder}/ballast`);
  }, unmount() {
    execFileSync('umount', ['-l', folder]);
  } };
}
