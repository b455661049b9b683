export { Peering, type PeeringOptions } from './peering';
export * from './types';
