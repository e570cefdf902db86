//! The walls, as one table.

/// Which crates of ours a crate may name.
pub(super) struct Arrows {
    pub(super) package: &'static str,
    /// Crates of ours that it depends on.
    pub(super) ours: &'static [&'static str],
    /// Crates of ours that it may depend on, if that is optional.
    pub(super) optional: &'static [&'static str],
    pub(super) why: &'static str,
}

const CORE: &str = "webhook-core";
const HTTP: &str = "webhook-http";
const STORE: &str = "webhook-store-seaorm";
const REGISTRY: &str = "webhook-registry";
const CLI: &str = "webhook-cli";
pub(super) const TESTKIT: &str = "webhook-testkit";
const FUZZ: &str = "xtask-fuzz";
const BENCH: &str = "xtask-bench";
const SECURITY: &str = "xtask-security";
/// What attacks the adapters, or measures them beside what they are made of: nothing but tests,
/// though not by the kind of their dependencies.
pub(super) const TOOLS: [&str; 2] = [BENCH, SECURITY];
const SERVERS: &str = "xtask-servers";

/// Every crate at the top level. As a development dependency each may
/// also name [`TESTKIT`], by path alone, and itself, to be tested with more features.
pub(super) const ARROWS: &[Arrows] = &[
    Arrows { package: CORE, ours: &[], optional: &[], why: "the core knows nobody" },
    Arrows {
        package: HTTP,
        ours: &[CORE],
        optional: &[],
        why: "an adapter imports the core and no other crate of ours",
    },
    Arrows {
        package: STORE,
        ours: &[CORE],
        optional: &[],
        why: "an adapter imports the core and no other crate of ours",
    },
    Arrows {
        package: REGISTRY,
        ours: &[CORE],
        optional: &[HTTP, STORE],
        why: "it composes: the core always, an adapter only when a feature asks for it",
    },
    Arrows {
        package: TESTKIT,
        ours: &[CORE],
        optional: &[],
        why: "fakes stand in for adapters and know the ports alone",
    },
    Arrows {
        package: "xtask",
        ours: &[SERVERS],
        optional: &[],
        why: "the checks are built before everything they check",
    },
];

/// Crates in the folder of another one: the command, and tools that are not published.
pub(super) const INSIDE: &[Arrows] = &[
    Arrows {
        package: CLI,
        ours: &[REGISTRY],
        optional: &[],
        why: "the command is a program as users write them: it takes everything from the registry",
    },
    Arrows {
        package: SERVERS,
        ours: &[],
        optional: &[],
        why: "it is built with xtask, before everything else, and serves whatever needs a server",
    },
    Arrows { package: BENCH, ours: &[REGISTRY], optional: &[], why: "it measures what users get" },
    Arrows {
        package: "xtask-crash",
        ours: &[REGISTRY, STORE, SERVERS],
        optional: &[],
        why: "its processes are programs as users write them, and a store that says when it commits",
    },
    Arrows {
        package: FUZZ,
        ours: &[CORE, HTTP, REGISTRY, STORE],
        optional: &[],
        why: "it brings hostile bytes to whoever reads any",
    },
    Arrows {
        package: "xtask-fuzz-targets",
        ours: &[FUZZ],
        optional: &[],
        why: "a program for each target, and nothing in it",
    },
    Arrows {
        package: SECURITY,
        ours: &[CORE, HTTP, REGISTRY, TESTKIT],
        optional: &[],
        why: "it attacks whatever strangers can reach",
    },
    Arrows {
        package: "xtask-simulate",
        ours: &[TESTKIT],
        optional: &[],
        why: "it plays what any user may play",
    },
];

/// The rule of every crate of ours.
pub(super) fn arrows() -> impl Iterator<Item = &'static Arrows> {
    ARROWS.iter().chain(INSIDE)
}

pub(super) fn is_ours(name: &str) -> bool {
    arrows().any(|known| known.package == name)
}

/// A crate that depends on nothing but these, with the features they may have.
pub(super) struct Allowed {
    pub(super) package: &'static str,
    pub(super) dependencies: &'static [&'static str],
    /// For a dependency whose features matter: those it may have.
    pub(super) features: &'static [(&'static str, &'static [&'static str])],
    pub(super) why: &'static str,
}

pub(super) const ALLOWED: &[Allowed] = &[Allowed {
    package: CORE,
    dependencies: &[
        "async-trait",
        "base64",
        "bytes",
        "futures-util",
        "http",
        "httpdate",
        "serde",
        "serde_json",
        "thiserror",
        "tokio",
        "tracing",
        "url",
        "uuid",
        "zeroize",
    ],
    features: &[("tokio", &["sync"])],
    why: "the core is pure: no I/O, no clock, no dice, no runtime",
}];

/// Foreign crates that only one crate of ours may name.
pub(super) struct Owned {
    pub(super) dependencies: &'static [&'static str],
    pub(super) owner: &'static str,
    /// Whether the others may use them in their tests.
    pub(super) free_in_tests: bool,
    pub(super) why: &'static str,
}

pub(super) const OWNED: &[Owned] = &[
    Owned {
        dependencies: &["sea-orm", "sea-orm-migration", "sea-query", "sea-schema", "sqlx"],
        owner: STORE,
        free_in_tests: false,
        why: "the database is known in the store alone, in tests as well",
    },
    Owned {
        dependencies: &[
            "hickory-resolver",
            "hyper",
            "hyper-util",
            "ring",
            "rustls",
            "rustls-native-certs",
            "tokio-rustls",
            "webpki-roots",
            "x509-parser",
        ],
        owner: HTTP,
        free_in_tests: true,
        why: "HTTP, TLS and cryptography are known in the transport's crate alone",
    },
    Owned {
        dependencies: &["clap", "indicatif", "jiff"],
        owner: CLI,
        free_in_tests: false,
        why: "there is one command line",
    },
];

/// The features of a crate, and which of them are on unasked.
pub(super) struct Features {
    pub(super) package: &'static str,
    pub(super) exist: &'static [&'static str],
    pub(super) default: &'static [&'static str],
    pub(super) why: &'static str,
}

pub(super) const FEATURES: &[Features] = &[
    Features {
        package: HTTP,
        exist: &["signer", "transport", "vault"],
        default: &["signer", "transport", "vault"],
        why: "a receiver that only verifies takes the signer and leaves the transport",
    },
    Features {
        package: STORE,
        exist: &["mysql", "postgres", "sqlite", "sqlx"],
        default: &[],
        why: "no database library enters a build uninvited",
    },
    Features {
        package: REGISTRY,
        exist: &["http", "mysql", "postgres", "receiver", "sqlite", "sqlx"],
        default: &["http"],
        why: "one crate to add sends over HTTP; databases are asked for",
    },
];

/// A dependency that only certain features may switch on.
pub(super) struct Behind {
    pub(super) package: &'static str,
    pub(super) dependencies: &'static [&'static str],
    pub(super) features: &'static [&'static str],
    pub(super) why: &'static str,
}

pub(super) const BEHIND: &[Behind] = &[
    Behind {
        package: REGISTRY,
        dependencies: &[STORE],
        features: &["mysql", "postgres", "sqlite"],
        why: "no database library enters a build uninvited",
    },
    Behind {
        package: HTTP,
        dependencies: &[
            "hickory-resolver",
            "hyper",
            "hyper-util",
            "http-body-util",
            "rustls",
            "rustls-native-certs",
            "tokio",
            "tokio-rustls",
        ],
        features: &[
            "__fuzzing",
            "check",
            "default",
            "receiver",
            "transport",
            "vault",
            "webpki-roots",
        ],
        why: "a receiver that only verifies pulls ring and the core",
    },
    Behind {
        package: HTTP,
        dependencies: &["x509-parser"],
        features: &["check"],
        why: "who only sends reads no certificates",
    },
];

/// What `cargo tree --edges normal` of one feature set never shows, however far down.
pub(super) struct Tree {
    pub(super) package: &'static str,
    pub(super) flags: &'static [&'static str],
    /// A name, or the beginning of names before a `*`.
    pub(super) never: &'static [&'static str],
    /// Whether tokio may be more than its channels and locks.
    pub(super) runtime: bool,
    pub(super) why: &'static str,
}

pub(super) const TREES: &[Tree] = &[
    Tree {
        package: CORE,
        flags: &[],
        never: &[
            "getrandom",
            "hickory-*",
            "hyper",
            "hyper-util",
            "mio",
            "rand",
            "ring",
            "rustls",
            "sea-*",
            "socket2",
            "sqlx*",
            "tokio-rustls",
        ],
        runtime: false,
        why: "the core is pure: no I/O, no clock, no dice, no runtime",
    },
    Tree {
        package: HTTP,
        flags: &["--no-default-features", "--features", "signer"],
        never: &["hickory-*", "hyper", "hyper-util", "mio", "rustls", "socket2", "tokio-rustls"],
        runtime: false,
        why: "a receiver that only verifies pulls ring and the core",
    },
    Tree {
        package: REGISTRY,
        flags: &["--no-default-features"],
        never: &[
            HTTP,
            STORE,
            TESTKIT,
            "clap",
            "hickory-*",
            "hyper",
            "ring",
            "rustls",
            "sea-*",
            "sqlx*",
        ],
        runtime: true,
        why: "without features it knows the core alone and takes any adapter",
    },
    Tree {
        package: REGISTRY,
        flags: &[],
        never: &[STORE, TESTKIT, "libsqlite3-sys", "sea-*", "sqlx*"],
        runtime: true,
        why: "no database library enters a build uninvited",
    },
    Tree {
        package: REGISTRY,
        flags: &["--all-features"],
        never: &[CLI, TESTKIT, "clap", "indicatif", "jiff", "tempfile", "tracing-subscriber"],
        runtime: true,
        why: "users of the library pull no crates of the command line",
    },
    Tree {
        package: STORE,
        flags: &["--features", "sqlite"],
        never: &[HTTP, TESTKIT, "hyper", "native-tls", "openssl*", "sqlx-mysql", "sqlx-postgres"],
        runtime: true,
        why: "one database brings no other's driver",
    },
];

/// Rooms of a crate: folders whose files import each other in one direction.
pub(super) struct Rooms {
    /// Folder of the crate's source files.
    pub(super) src: &'static str,
    /// Each room, and the rooms that it may import. Files outside these rooms may import all.
    pub(super) rooms: &'static [(&'static str, &'static [&'static str])],
    /// Number of files that may import each other in a circle.
    pub(super) largest_circle: usize,
}

pub(super) const ROOMS: &[Rooms] = &[
    Rooms {
        src: "webhook-core/src",
        rooms: &[
            ("model", &[]),
            ("port", &["model"]),
            ("policy", &["model", "port"]),
            ("wire", &["model", "port"]),
            ("engine", &["model", "port", "policy", "wire"]),
            ("read", &["model", "port", "policy", "wire"]),
        ],
        largest_circle: 5,
    },
    Rooms {
        src: "webhook-store-seaorm/src",
        rooms: &[("db", &[]), ("schema", &["db"]), ("work", &["db"])],
        largest_circle: 4,
    },
    Rooms { src: "webhook-registry/cli/src", rooms: &[], largest_circle: 4 },
];
