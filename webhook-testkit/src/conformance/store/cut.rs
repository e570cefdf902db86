//! Calls that are given up, at every point where they may be.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

/// A point at which the calls of a case are given up.
pub(super) struct Cut {
    /// How often they are polled before.
    polls: usize,
    way: Way,
    /// Whether all of them came to their end before it.
    ended: Cell<bool>,
}

/// When a call is polled again.
#[derive(Clone, Copy)]
enum Way {
    /// When it is woken: it is given up wherever it waits.
    Woken,
    /// After others had a turn: whoever does its work is a bit further at each point.
    InTurn,
}

/// More points than any call has.
const POINTS: usize = 1_000;

/// Enough turns for a store that works on tasks of its own.
const TURNS: usize = 12;

impl Cut {
    /// Runs `case` with a cut at each point, until its calls end before it.
    pub(super) async fn everywhere(case: impl AsyncFn(&Self)) {
        for (way, most) in [(Way::Woken, POINTS), (Way::InTurn, TURNS)] {
            for polls in 0..most {
                let cut = Self { polls, way, ended: Cell::new(true) };
                case(&cut).await;
                if cut.ended.get() {
                    break;
                }
            }
        }
    }

    /// Polls `call` up to this point, and drops it.
    pub(super) async fn short<T>(&self, call: impl Future<Output = T>) {
        let call = pin!(call);
        let ended = match self.way {
            Way::Woken => self.poll_when_woken(call).await,
            Way::InTurn => self.poll_in_turn(call).await,
        };
        if !ended {
            self.ended.set(false);
        }
    }

    async fn poll_when_woken<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> bool {
        let mut left = self.polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            match call.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending if left == 0 => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    async fn poll_in_turn<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> bool {
        for _ in 0..self.polls {
            if futures_util::poll!(call.as_mut()).is_ready() {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    }
}
