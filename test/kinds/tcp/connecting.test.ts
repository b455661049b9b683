import { connecting } from '../../../src/kinds/tcp/connecting';
import { isConnecting, isConnection } from '../../../src/vocabulary/sockets';
import { at, connected, facts, HOST, listening, refused } from '../../support/kinds/facts';

test('a connect in progress is carried, and is no connection yet', () => {
  const socket = connected({ state: 2 });
  expect(refused([], [socket])).toEqual([]);
  expect([isConnection(socket), isConnecting(socket)]).toEqual([false, true]);
  expect(refused([], [connected({ state: 2, remote: at('127.0.0.1', 80) })])).toEqual(['E_LOCAL_CONNECTION']);
});

const inside = connected({ state: 2, local: at('127.0.0.1', 9), remote: at('127.0.0.1', 80) });

test('a connect in progress to a socket of the program itself is carried', () => {
  expect(refused([], [inside, listening({ local: at('0.0.0.0', 80) })])).toEqual([]);
  expect(refused([], [inside, listening({ local: at('0.0.0.0', 81) })])).toEqual(['E_LOCAL_CONNECTION']);
});

test('the target must reach where it leads', () => {
  const outward = connected({ state: 2 });
  const sockets = [outward, inside, listening({ local: at('0.0.0.0', 80) })];
  expect(connecting.needs!.of(facts({ sockets }), undefined, HOST)).toEqual({
    outward: [{ local: outward.local, remote: outward.remote }],
    inside: ['127.0.0.1'],
  });
});
