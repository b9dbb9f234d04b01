//! A clock that is moved by hand.

use protocol::{
    Time,
    port::{Answer, Clock},
};
use tokio::sync::watch;

pub(super) struct Hands(watch::Sender<Time>);

impl Hands {
    pub(super) fn at(ms: u64) -> Self {
        Self(watch::Sender::new(Time(ms)))
    }

    pub(super) fn set(&self, ms: u64) {
        self.0.send_replace(Time(ms));
    }
}

impl Clock for Hands {
    fn now(&self) -> Time {
        *self.0.borrow()
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            if time.wait_for(|now| *now >= at).await.is_err() {
                // The test is over.
                std::future::pending::<()>().await;
            }
        })
    }
}
