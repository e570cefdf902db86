//! Drops calls at every point where they may be dropped.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

/// A point at which the calls of a case are dropped.
pub(super) struct DropPoint {
    /// Number of polls before the drop.
    polls: usize,
    mode: PollMode,
    /// True if all calls have completed before the drop.
    ended: Cell<bool>,
}

/// Condition for the next poll of a call.
#[derive(Clone, Copy)]
enum PollMode {
    /// The call was woken. It is dropped wherever it waits.
    Woken,
    /// Other tasks were polled. A task that works for the call is further at each point.
    InTurn,
}

/// Maximum number of polls when woken. No call needs as many.
const MAX_POLLS_WHEN_WOKEN: usize = 1_000;

/// Maximum number of polls in turn. It suffices for a store that works in tasks of its own.
const MAX_POLLS_IN_TURN: usize = 12;

impl DropPoint {
    /// Runs `case` with each drop point, until its calls complete before the drop.
    pub(super) async fn for_each(case: impl AsyncFn(&Self)) {
        for (mode, most) in
            [(PollMode::Woken, MAX_POLLS_WHEN_WOKEN), (PollMode::InTurn, MAX_POLLS_IN_TURN)]
        {
            for polls in 0..most {
                let point = Self { polls, mode, ended: Cell::new(true) };
                case(&point).await;
                if point.ended.get() {
                    break;
                }
            }
        }
    }

    /// Polls `call` up to this point, and drops it.
    pub(super) async fn drop_call<T>(&self, call: impl Future<Output = T>) {
        let call = pin!(call);
        let ended = match self.mode {
            PollMode::Woken => self.poll_when_woken(call).await,
            PollMode::InTurn => self.poll_in_turn(call).await,
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
