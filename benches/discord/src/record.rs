//! Moves a simulated Discord and keeps what it sends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use guildgate_discord::{Compression, Inflater, Rng};
use guildgate_model::{GuildId, Permissions, RoleId, UserId};
use guildgate_simulator::{
    Change, Generated, Join, Liveness, MemberEdit, RoleEdit, Settings, Simulator, SimulatorConfig,
    SimulatorHandle, User, World,
};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Limits, MaybeTlsStream, Message, WebSocketStream};

use crate::{Workload, bodies::Bodies, pack::Packer};

const EVENTS: u32 = 50_000;
pub(crate) const GUILDS: u32 = 20;
const ROLES: u32 = 40;
/// Those of a guild who are about, of all its members.
pub(crate) const ACTIVE: u32 = 100;

/// GUILDS, GUILD_MEMBERS, GUILD_MODERATION.
const NEEDED: u64 = 1 | 1 << 1 | 1 << 2;
/// Those and voice, presences, messages, reactions, typing, message content.
const ALL: u64 = NEEDED | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 15;

/// The messages of a workload: what came off the socket, packed as Discord does.
///
/// # Panics
/// If the simulator cannot be started or hangs up: there is nothing to measure then.
pub async fn record(workload: Workload) -> Vec<Vec<u8>> {
    let (size, intents) = match workload {
        Workload::StartUp => (Generated::default(), NEEDED),
        Workload::Updates => (busy(1_000), NEEDED),
        Workload::Unneeded => (busy(ACTIVE), ALL),
    };
    let mut world = World::generated(&size);
    world.set_privileged_intents(ALL);
    let mut rng = Rng::new(7);
    if workload != Workload::StartUp {
        people(&mut world, &mut rng);
    }
    let settings = Settings {
        liveness: Liveness::Ignored,
        ..Settings::default()
    };
    let simulator = Simulator::start(SimulatorConfig {
        settings,
        ..SimulatorConfig::new(([127, 0, 0, 1], 0).into(), world)
    })
    .await
    .expect("a simulator");
    let mut ear = Ear::log_in(&simulator, intents).await;
    for _ in 0..size.guilds {
        ear.until("GUILD_CREATE").await;
    }
    let handle = simulator.handle();
    let mut mover = Mover::new(handle.clone(), rng);
    let bodies = handle.read(|world| Bodies::new(world, GUILDS.min(size.guilds), ACTIVE));
    let events = if workload == Workload::StartUp {
        0
    } else {
        EVENTS
    };
    for number in 1..=events {
        if workload == Workload::Updates {
            mover.update();
        } else {
            let (name, guild, body) = bodies.next(&mut mover.rng);
            handle.dispatch(name, Some(guild), &body);
        }
        // The simulator hangs up on who lags too far behind; a ban marks how far it has come.
        if number % 1_000 == 0 {
            let (guild, user) = (Generated::guild_id(1), UserId(u64::from(number)));
            let ban = Change::Ban { guild, user };
            handle.change(ban).expect("anybody can be banned");
            ear.until("GUILD_BAN_ADD").await;
        }
    }
    let last = Change::RemoveBot(Generated::guild_id(0));
    handle.change(last).expect("it is there");
    ear.until("GUILD_DELETE").await;
    simulator.stop().await;
    ear.heard
}

fn busy(members: u32) -> Generated {
    Generated {
        guilds: GUILDS,
        members,
        roles: ROLES,
        ..Generated::default()
    }
}

/// Gives those who are about a face.
fn people(world: &mut World, rng: &mut Rng) {
    for guild in 0..GUILDS {
        for number in 0..ACTIVE {
            let id = Generated::user_id(guild, number);
            let name = format!("{}{}", pick(rng, &NAMES), rng.below(10_000));
            let avatar = format!("{:016x}{:016x}", rng.number(), rng.number());
            world.put_user(User {
                global_name: Some(pick(rng, &NAMES).into()),
                avatar: Some(avatar.into()),
                ..User::person(id, &name)
            });
        }
    }
}

pub(crate) fn pick<'a, T: ?Sized>(rng: &mut Rng, of: &[&'a T]) -> &'a T {
    of[usize::try_from(rng.below(of.len() as u64)).expect("small")]
}

const NAMES: [&str; 12] = [
    "ash", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper", "larch",
    "maple",
];

/// Changes that a gateway needs to know of.
struct Mover {
    handle: SimulatorHandle,
    rng: Rng,
    joined: Vec<(GuildId, UserId)>,
    next_user: u64,
}

impl Mover {
    fn new(handle: SimulatorHandle, rng: Rng) -> Mover {
        Mover {
            handle,
            rng,
            joined: Vec::new(),
            next_user: 1_300_000_000_000_000_000,
        }
    }

    /// Of 20: 13 changes of a member's roles, 3 of a nick, 2 of a role, a join, a departure.
    fn update(&mut self) {
        let index = self.number(GUILDS);
        let guild = Generated::guild_id(index);
        let user = Generated::user_id(index, self.number(ACTIVE));
        let change = match self.number(20) {
            0..13 => {
                let count = self.number(8);
                let roles = (0..count).map(|_| self.role(guild)).collect();
                let roles = Some(roles);
                let edit = MemberEdit {
                    roles,
                    ..MemberEdit::default()
                };
                Change::EditMember { guild, user, edit }
            }
            13..16 => {
                let nick = format!("{} {}", pick(&mut self.rng, &NAMES), self.number(100_000));
                let edit = MemberEdit {
                    nick: Some(Some(nick.into())),
                    ..MemberEdit::default()
                };
                Change::EditMember { guild, user, edit }
            }
            16..18 => {
                let edit = RoleEdit {
                    // Colour and any permission up to 2^40 but ADMINISTRATOR.
                    color: Some(self.number(1 << 24)),
                    permissions: Some(Permissions(self.rng.below(1 << 40) & !8)),
                    ..RoleEdit::default()
                };
                let role = self.role(guild);
                Change::EditRole { guild, role, edit }
            }
            number => match self.joined.pop() {
                Some((guild, user)) if number == 18 => Change::Leave { guild, user },
                other => {
                    self.joined.extend(other);
                    // Accounts are as far apart as their making.
                    self.next_user += 1 + self.rng.below(1 << 32);
                    let user = UserId(self.next_user);
                    self.joined.push((guild, user));
                    Change::Join(Join::new(guild, user))
                }
            },
        };
        self.handle.change(change).expect("the world allows it");
    }

    fn number(&mut self, below: u32) -> u32 {
        u32::try_from(self.rng.below(u64::from(below))).expect("below a u32")
    }

    /// One of the generated guild's roles, but not the two that administer it.
    fn role(&mut self, guild: GuildId) -> RoleId {
        RoleId(guild.0 + 1_001 + u64::from(self.number(ROLES - 2)))
    }
}

/// A client that keeps what it hears.
struct Ear {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    inflater: Inflater,
    packer: Packer,
    heard: Vec<Vec<u8>>,
}

impl Ear {
    async fn log_in(simulator: &Simulator, intents: u64) -> Ear {
        let address = simulator.local_addr();
        let url = format!("ws://{address}/?v=10&encoding=json&compress=zstd-stream");
        let builder = ClientBuilder::new().uri(&url).expect("a URL");
        let (mut socket, _) = builder
            .limits(Limits::unlimited())
            .connect()
            .await
            .expect("a socket");
        let identify =
            json!({"op": 2, "d": {"token": "simulator", "intents": intents, "properties": {}}});
        let sent = socket.send(Message::text(identify.to_string())).await;
        sent.expect("it listens");
        Ear {
            socket,
            inflater: Inflater::new(Compression::ZstdStream).expect("memory"),
            packer: Packer::new(),
            heard: Vec::new(),
        }
    }

    /// Listens up to the next event called `name`.
    async fn until(&mut self, name: &str) {
        while self.hear().await != name {}
    }

    async fn hear(&mut self) -> String {
        let waited = tokio::time::timeout(Duration::from_secs(60), self.socket.next()).await;
        let message = waited.expect("it goes on").expect("open").expect("sound");
        assert!(message.is_binary(), "hung up: {:?}", message.as_close());
        let bytes = message.into_payload().to_vec();
        let payload = self.inflater.push(&bytes).expect("sound").expect("whole");
        let envelope = guildgate_discord::Envelope::peek(payload).expect("a payload");
        let name = envelope.name.unwrap_or_default().to_owned();
        self.heard.push(self.packer.pack(payload));
        name
    }
}
