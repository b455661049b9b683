/** Host-to-host channel. */

export { clusterKeyId, generateClusterKey, parseClusterKey, readClusterKey, writeClusterKey } from './cluster-key';
export { Channel, type Incoming, type IncomingData, type IncomingMessage } from './channel';
export { connect, type Connected, type ConnectOptions } from './connect';
export { listen, type Arrived, type Listener, type ListenOptions } from './listen';
export { CHANNEL_PROTOCOL, type ChannelHello, type Identity } from './hello';
export { bytesSchema, type TypedMessage } from './envelope';
export { MAX_DATA_BYTES, MAX_MESSAGE_BYTES } from './frames';
