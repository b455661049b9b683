/**
 * A place says where a descriptor is, on whichever host: number `fd` of the process whose pid in the program's own
 * namespace is `innerPid`.
 */
import { z } from 'zod';

export const place = z.object({ innerPid: z.int().positive(), fd: z.int().nonnegative() });
export type Place = Readonly<z.infer<typeof place>>;
