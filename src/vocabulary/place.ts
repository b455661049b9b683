/** Where a descriptor is, on whichever host: descriptor `fd` of the process whose pid in the program's own namespace is `innerPid`. */
export interface Place {
  readonly innerPid: number;
  readonly fd: number;
}
