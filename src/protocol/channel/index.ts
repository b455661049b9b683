/** Host-to-host channel. */

export { Channel, type Incoming, type IncomingMessage } from './channel';
export { clusterKeyId, generateClusterKey, readClusterKey, writeClusterKey } from './cluster-key';
export { connect, type ConnectOptions } from './connect';
export { bytesSchema, type TypedMessage } from './frames';
export { MAX_DATA_BYTES, MAX_MESSAGE_BYTES } from './frames';
export { CHANNEL_PROTOCOL, type Connected } from './hello';
export { listen, type Listener, type ListenOptions } from './listen';
