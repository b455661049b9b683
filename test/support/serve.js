'use strict';

/** Lets the parent (child.ts) call these functions over the IPC channel. */
module.exports = function serve(functions) {
  process.on('message', async ({ id, name, args }) => {
    try {
      process.send({ id, value: await functions[name](...args) });
    } catch (error) {
      process.send({
        id,
        error: { message: error.message, code: error.code, syscall: error.syscall, stack: error.stack },
      });
    }
  });
  process.on('disconnect', () => process.exit());
  process.send({ ready: true });
};
