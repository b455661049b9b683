import { Replies } from '../../../src/protocol/inband';

describe('Replies', () => {
  test('a request is new once, then being worked on, then answered', () => {
    const replies = new Replies<string>();
    expect(replies.begin('m', 'lock 0')).toEqual({ state: 'new' });
    expect(replies.begin('m', 'lock 0')).toEqual({ state: 'working' });
    replies.answer('m', 'lock 0', 'locked');
    expect(replies.begin('m', 'lock 0')).toEqual({ state: 'answered', answer: 'locked' });
    expect(replies.begin('m', 'lock 1')).toEqual({ state: 'new' });
    expect(replies.begin('other', 'lock 0')).toEqual({ state: 'new' });
  });

  test('abandoned requests are new again', () => {
    const replies = new Replies<string>();
    replies.begin('m', 'resume 0');
    replies.abandon('m', 'resume 0');
    expect(replies.begin('m', 'resume 0')).toEqual({ state: 'new' });
  });

  test('keeps a bounded number, the latest used', () => {
    const replies = new Replies<number>();
    for (let migration = 0; migration < 2000; migration += 1) {
      replies.answer(`m${migration}`, 'r', migration);
      replies.begin('m0', 'r');
    }
    expect(replies.begin('m0', 'r')).toEqual({ state: 'answered', answer: 0 });
    expect(replies.begin('m1', 'r')).toEqual({ state: 'new' });
    expect(replies.begin('m1999', 'r')).toEqual({ state: 'answered', answer: 1999 });
  });
});
