/**
 * Ends the test that calls it, which jest then shows as skipped, with the reason. Where MIGRUN_TEST_ALL is set, on a machine
 * on which every test can be tried, it fails.
 */
export function skip(reason: string): never {
  if (process.env['MIGRUN_TEST_ALL']) throw new Error(`this cannot be tried here: ${reason}`);
  throw Object.assign(new Error(reason), { name: 'Skipped' });
}
