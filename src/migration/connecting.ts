/** Connects that were in progress when the program moved: they begin again, from here. */
import type { Logger } from '../log';
import { native } from '../native/index';
import type { RestoredSockets } from './restored-sockets';
import type { MovingState } from './state';

/** To be called when the program is about to run: from here on the other ends hear of it. May be repeated. */
export function connectAgain({ connecting }: MovingState, sockets: RestoredSockets, log: Logger): void {
  for (const { family, local, remote, ...place } of connecting) {
    const fd = sockets.find(place);
    const address = native.routeSource(remote.address);
    if (fd === undefined || address === null) continue;
    try {
      native.unlock([fd]);
      native.connectAgain(fd, family, { local: { address, port: local.port }, remote });
    } catch (error) {
      log.warn({ err: error, remote }, 'a connect that was in progress failed'); // the program is told when it asks
    }
  }
}
