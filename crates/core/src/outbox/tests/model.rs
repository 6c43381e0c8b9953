//! The outbox against a model that remembers everything.
//!
//! The model is a client that sees what is written to it, in order, and a record of all events
//! ever admitted. Whatever happens in between, the client must never miss a certain event
//! without being told so (`resumed: false`), never see one twice or out of order, and must end
//! on the newest count of each guild.

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Certain,
    Count(u64),
    Snapshot(u64),
    Resync(u64),
    /// A notification, with the event's number for its id.
    Notification,
    /// So many of the notifications that the client has seen are acknowledged, on a connection
    /// of its own or another.
    Forget(usize),
    /// Several events in one burst, of which the socket takes only the first so many.
    Burst(Vec<u64>, usize),
    Socket(Socket),
    /// The driver writes up to so many frames.
    Flush(usize),
    Raw,
    Acknowledge,
    /// The socket is lost with so many of the last written frames on their way.
    Lose(usize),
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Certain),
        6 => (1..3u64).prop_map(Step::Count),
        3 => (1..3u64).prop_map(Step::Snapshot),
        2 => (1..3u64).prop_map(Step::Resync),
        3 => Just(Step::Notification),
        2 => (1..4usize).prop_map(Step::Forget),
        2 => (prop::collection::vec(0..3u64, 1..6), 0..4usize)
            .prop_map(|(events, taken)| Step::Burst(events, taken)),
        3 => prop_oneof![Just(Socket::Free), Just(Socket::Busy)].prop_map(Step::Socket),
        3 => (0..6usize).prop_map(Step::Flush),
        2 => Just(Step::Raw),
        2 => Just(Step::Acknowledge),
        2 => (0..5usize).prop_map(Step::Lose),
        3 => Just(Step::Resume),
    ]
}

/// What reached the client, or is on its way there.
#[derive(Debug, Clone)]
enum Written {
    Event(Sequence, Arc<EventFrame>),
    Other,
}

struct World {
    outbox: Outbox,
    limits: Limits,
    attached: bool,
    socket: Socket,
    /// Every event ever admitted, each at its number less one.
    admitted: Vec<Arc<EventFrame>>,
    /// Written on this connection and not read yet.
    written: Vec<Written>,
    /// The last number that the client saw, on any connection.
    seen: Sequence,
    /// What the client knows of each lane, by the number it came with.
    known: Vec<(Lane, Sequence)>,
    /// Numbers of the notifications that were acknowledged.
    forgotten: Vec<u64>,
}

impl World {
    fn new(limits: Limits) -> World {
        World {
            outbox: session(),
            limits,
            attached: true,
            socket: Socket::Free,
            admitted: Vec::new(),
            written: Vec::new(),
            seen: Sequence(0),
            known: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    /// Admits; what is to be written at once.
    fn admit(&mut self, event: Arc<EventFrame>) -> Option<Sequence> {
        self.admitted.push(event.clone());
        let number = Sequence(self.admitted.len() as u64);
        match self.outbox.admit(&event, self.socket, &self.limits) {
            Admission::Write(sequence) => {
                assert_eq!(sequence, Some(number));
                assert!(self.attached);
                sequence
            }
            Admission::Waits | Admission::Replaced => {
                assert!(self.attached);
                None
            }
            Admission::Kept => {
                assert!(!self.attached);
                None
            }
            Admission::Overrun => {
                self.lose(0);
                None
            }
        }
    }

    fn event(&mut self, event: Arc<EventFrame>) {
        if let Some(sequence) = self.admit(event.clone()) {
            self.written.push(Written::Event(sequence, event));
        }
    }

    fn burst(&mut self, events: Vec<u64>, taken: usize) {
        let first = self.admitted.len() as u64;
        let burst: Burst = (first..)
            .zip(events)
            .map(|(number, kind)| match kind {
                0 => certain(number),
                1 => count(GUILD, number),
                _ => snapshot(GUILD, number),
            })
            .collect();
        let at_once = match self.socket {
            Socket::Free => self.outbox.admit_burst(&burst, &self.limits),
            Socket::Busy => None,
        };
        let mut to_write = Vec::new();
        match at_once {
            Some(sequence) => {
                assert!(self.attached);
                assert_eq!(sequence, Sequence(first + 1));
                for (place, event) in burst.events().iter().enumerate() {
                    self.admitted.push(event.clone());
                    to_write.push((sequence.plus(place), event.clone()));
                }
            }
            None => {
                for event in burst.events() {
                    let sequence = self.admit(event.clone());
                    to_write.extend(sequence.map(|sequence| (sequence, event.clone())));
                }
            }
        }
        if !self.attached {
            return;
        }
        for (index, (sequence, event)) in to_write.into_iter().enumerate() {
            if index < taken {
                self.written.push(Written::Event(sequence, event));
                continue;
            }
            self.socket = Socket::Busy;
            let put_back = self.outbox.put_back(&event, Some(sequence), &self.limits);
            if put_back.is_err() {
                // The driver gives back the rest before it closes.
                self.limits.queue_frames_max += 1;
            }
        }
    }

    fn flush(&mut self, frames: usize) {
        let taken: Vec<_> = self
            .outbox
            .unsent()
            .take(frames)
            .map(|frame| match frame {
                Unsent::Event(event, sequence) => {
                    let sequence = sequence.expect("a session's events are numbered");
                    let admitted = &self.admitted[sequence.0 as usize - 1];
                    assert_eq!(**admitted, *event, "a number stays with its event");
                    Written::Event(sequence, admitted.clone())
                }
                Unsent::Raw(_) => Written::Other,
            })
            .collect();
        self.outbox.sent(taken.len(), &self.limits);
        self.written.extend(taken);
    }

    /// The client reads what was written, but for the last `lost` frames.
    fn read(&mut self, lost: usize) {
        let arrived = self.written.len().saturating_sub(lost);
        let arrived: Vec<_> = self.written.drain(..).take(arrived).collect();
        for frame in arrived {
            let Written::Event(sequence, event) = frame else {
                continue;
            };
            assert!(sequence > self.seen, "in order, and none twice");
            assert!(
                !self.forgotten.contains(&sequence.0),
                "what was acknowledged does not come again"
            );
            for skipped in self.seen.0 + 1..sequence.0 {
                self.assert_replaced(Sequence(skipped));
            }
            self.seen = sequence;
            self.known.retain(|(lane, _)| *lane != event.lane());
            self.known.push((event.lane(), sequence));
        }
    }

    /// A number that never came was that of a count or snapshot with a newer one behind it, or
    /// of a notification that was acknowledged.
    fn assert_replaced(&self, skipped: Sequence) {
        if self.forgotten.contains(&skipped.0) {
            return;
        }
        let lane = self.admitted[skipped.0 as usize - 1].lane();
        assert_ne!(lane, Lane::Certain, "a hole at {skipped:?}");
        let newer = &self.admitted[skipped.0 as usize..];
        assert!(
            newer.iter().any(|event| event.lane() == lane),
            "a hole at {skipped:?}"
        );
    }

    fn lose(&mut self, lost: usize) {
        self.read(lost);
        self.outbox.detach(&self.limits);
        self.attached = false;
    }

    fn resume(&mut self) {
        if self.attached {
            self.read(1);
        }
        if !self.outbox.resumes_from(self.seen) {
            // Told so, the client starts anew.
            *self = World::new(self.limits.clone());
            return;
        }
        self.outbox
            .resume(self.seen, "opcode 2".into(), &self.limits);
        self.attached = true;
        self.socket = Socket::Free;
        self.flush(1);
        assert!(matches!(self.written[..], [Written::Other]));
    }

    /// Some of the newest notifications, written or not, are acknowledged. What is on its way
    /// arrives before that.
    fn forget(&mut self, count: usize) {
        self.read(0);
        let numbers = self.admitted.iter().zip(1..=u64::MAX);
        let mut newest: Vec<u64> = numbers
            .filter(|(event, _)| event.notification().is_some())
            .map(|(_, number)| number)
            .collect();
        let newest = newest.split_off(newest.len().saturating_sub(count));
        let ids: Vec<_> = newest.iter().copied().map(NotificationId).collect();
        self.outbox.forget_notifications(&ids);
        self.forgotten.extend(newest);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Certain => self.event(certain(self.admitted.len() as u64)),
            Step::Count(guild) => {
                self.event(count(GuildId(guild), self.admitted.len() as u64));
            }
            Step::Snapshot(guild) => {
                self.event(snapshot(GuildId(guild), self.admitted.len() as u64));
            }
            Step::Resync(guild) => {
                self.event(resync(GuildId(guild), self.admitted.len() as u64));
            }
            Step::Notification => self.event(reviewed(self.admitted.len() as u64 + 1)),
            Step::Forget(count) => self.forget(count),
            Step::Burst(events, taken) => self.burst(events, taken),
            Step::Socket(socket) => self.socket = socket,
            Step::Flush(frames) if self.attached => self.flush(frames),
            Step::Raw => {
                let queued = self.outbox.queue_raw("raw".into(), &self.limits);
                if queued.is_err() {
                    self.lose(1);
                }
            }
            Step::Acknowledge if self.attached => {
                self.read(0);
                self.outbox.acknowledge(self.seen);
            }
            Step::Lose(lost) if self.attached => self.lose(lost),
            Step::Resume => self.resume(),
            Step::Flush(_) | Step::Acknowledge | Step::Lose(_) => {}
        }
        let (unsent, kept) = self.outbox.depths();
        assert!(kept <= self.limits.resume_events_max);
        let lanes = 6;
        let kept_and_opcode_2 = self.limits.resume_events_max + 1;
        // Once more when a socket was taken over that had not read what another one replayed.
        assert!(unsent <= self.limits.queue_frames_max + 1 + 2 * kept_and_opcode_2 + lanes);
    }

    /// In the end all is written and read: the client knows the newest of every lane.
    fn settle(&mut self) {
        if !self.attached {
            self.resume();
        }
        self.flush(usize::MAX);
        self.read(0);
        for lane in [GUILD, OTHER].into_iter().flat_map(|guild| {
            [
                Lane::Count(guild),
                Lane::Snapshot(guild),
                Lane::Resync(guild),
            ]
        }) {
            let newest = self
                .admitted
                .iter()
                .rposition(|event| event.lane() == lane)
                .map(|index| Sequence(index as u64 + 1));
            let known = self.known.iter().find(|(known, _)| *known == lane);
            assert_eq!(known.map(|(_, sequence)| *sequence), newest);
        }
        for skipped in self.seen.0 + 1..=self.admitted.len() as u64 {
            self.assert_replaced(Sequence(skipped));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_client_never_has_a_silent_hole_and_ends_on_the_true_count(
        steps in prop::collection::vec(step(), 1..80),
        resume_events_max in 1..12usize,
        queue_frames_max in 1..8usize,
    ) {
        let mut world = World::new(Limits { resume_events_max, queue_frames_max, ..limits() });
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}
