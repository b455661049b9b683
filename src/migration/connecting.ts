/** Connects that were in progress when the program moved: they begin again, from here. */
import type { Logger } from '../log';
import { native } from '../native/index';
import type { RestoredDescriptors } from './restored-descriptors';
import type { MovingState } from './state';
import { addressesOf } from './udp';

/** To be called when the program is about to run: from here on the other ends hear of it. May be repeated. */
export function connectAgain(
  { connecting, addresses: from }: MovingState,
  sockets: RestoredDescriptors,
  log: Logger,
): void {
  const addresses = addressesOf(from, []);
  for (const { family, local, remote: old, inside, ...place } of connecting) {
    const fd = sockets.find(place);
    const remote = inside ? (addresses.inside(old, family) ?? old) : old;
    const address = native.socketRouteSource(remote.address);
    if (fd === undefined || address === null) continue;
    try {
      native.socketUnlock([fd]);
      native.tcpConnectAgain(fd, family, { local: { address, port: local.port }, remote });
    } catch (error) {
      log.warn({ err: error, remote }, 'a connect that was in progress failed'); // the program is told when it asks
    }
  }
}
