/**
 * UNIX sockets in whose queues a message of no bytes was found. Only the first look shows it (native/unix/unix_sockets.h), and a
 * move that was refused for it may be tried again: so it is taken to be there until its queue is empty.
 */
import { POLLIN } from '../../vocabulary/files';

export class EmptyMessages {
  private readonly sockets = new Set<number>();

  /**
   * Whether an empty message is in the queue of the socket with this inode, by what a look showed and what poll(2) says
   * of it.
   */
  has(inode: number, { hasEmpty }: { readonly hasEmpty: boolean }, events: number): boolean {
    if (hasEmpty) this.sockets.add(inode);
    else if ((events & POLLIN) === 0) this.sockets.delete(inode);
    return this.sockets.has(inode);
  }
}
