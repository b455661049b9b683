/** Host-to-host channel. */

export { Channel, type Incoming, type IncomingMessage } from './channel';
export { clusterKeyId, generateClusterKey, readClusterKey, writeClusterKey } from './cluster-key';
export { connect, type Connected, type ConnectOptions } from './connect';
export { bytesSchema, type TypedMessage } from './envelope';
export { MAX_DATA_BYTES, MAX_MESSAGE_BYTES } from './frames';
export { CHANNEL_PROTOCOL } from './hello';
export { type Arrived, listen, type Listener, type ListenOptions } from './listen';
