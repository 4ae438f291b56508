//! A store in memory with one flaw: how it tells of news.

use std::time::Duration;

use cqrs_core::{EventStore, News, NewsBoard};
use tokio::task::yield_now;

use super::store::{Flaw, Flawed};

impl Flawed {
    pub(super) fn flawed_news(&self) -> News {
        let mut boards = self.boards.lock().unwrap();
        let board = match self.flaw {
            Flaw::NewsIsNeverAnnounced | Flaw::NewsComesOnce | Flaw::NewsIsTooEarly => {
                boards.last().unwrap()
            }
            Flaw::NewsIsForTheLatest => boards.push_mut(NewsBoard::new()),
            Flaw::NewsStaysInItsHandle => &self.own_board,
            _ => return self.inner.news(),
        };
        board.news(Duration::MAX)
    }

    /// Tells of an append that is not stored yet, and is in no hurry to store it.
    pub(super) async fn announce_early(&self) {
        if self.flaw == Flaw::NewsIsTooEarly {
            self.boards.lock().unwrap().last().unwrap().announce();
            for _ in 0..1_000 {
                yield_now().await;
            }
        }
    }

    /// Tells of an append.
    pub(super) fn announce(&self) {
        let mut boards = self.boards.lock().unwrap();
        match self.flaw {
            Flaw::NewsIsForTheLatest => boards.last().unwrap().announce(),
            Flaw::NewsComesOnce => {
                boards.last().unwrap().announce();
                boards.push(NewsBoard::new());
            }
            Flaw::NewsStaysInItsHandle => self.own_board.announce(),
            _ => {}
        }
    }
}
