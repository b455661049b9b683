export type { LocalPrograms, PeerFreezer } from './host';
export { Peering } from './peering';
