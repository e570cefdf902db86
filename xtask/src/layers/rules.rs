//! Table of the rules between crates.

/// Crates of this workspace that a crate may depend on.
pub(super) struct Arrows {
    pub(super) package: &'static str,
    /// Crates that it always depends on.
    pub(super) ours: &'static [&'static str],
    /// Crates that it may depend on as an option.
    pub(super) optional: &'static [&'static str],
    pub(super) why: &'static str,
}

const CORE_CRATE: &str = "webhook-core";
const HTTP_CRATE: &str = "webhook-http";
const STORE_CRATE: &str = "webhook-store-seaorm";
const REGISTRY_CRATE: &str = "webhook-registry";
const CLI_CRATE: &str = "webhook-cli";
pub(super) const TESTKIT_CRATE: &str = "webhook-testkit";
const FUZZ_CRATE: &str = "xtask-fuzz";
const BENCH_CRATE: &str = "xtask-bench";
const SECURITY_CRATE: &str = "xtask-security";
/// Tools that attack the adapters or compare them with their own dependencies.
///
/// These count as tests, although their dependencies are not development dependencies.
pub(super) const TOOLS: [&str; 2] = [BENCH_CRATE, SECURITY_CRATE];
const SERVERS_CRATE: &str = "xtask-servers";

/// Rules of the crates at the top level.
///
/// Each may also have two development dependencies: [`TESTKIT_CRATE`], by path alone, and itself,
/// for tests with more features.
pub(super) const ARROWS: &[Arrows] = &[
    Arrows {
        package: CORE_CRATE,
        ours: &[],
        optional: &[],
        why: "the core depends on no other crate of this workspace",
    },
    Arrows {
        package: HTTP_CRATE,
        ours: &[CORE_CRATE],
        optional: &[],
        why: "an adapter depends on the core and on no other crate of this workspace",
    },
    Arrows {
        package: STORE_CRATE,
        ours: &[CORE_CRATE],
        optional: &[],
        why: "an adapter depends on the core and on no other crate of this workspace",
    },
    Arrows {
        package: REGISTRY_CRATE,
        ours: &[CORE_CRATE],
        optional: &[HTTP_CRATE, STORE_CRATE],
        why: "it combines the core with those adapters that features enable",
    },
    Arrows {
        package: TESTKIT_CRATE,
        ours: &[CORE_CRATE],
        optional: &[],
        why: "fakes replace adapters and need the ports alone",
    },
    Arrows {
        package: "xtask",
        ours: &[SERVERS_CRATE],
        optional: &[],
        why: "the checks are built before everything they check",
    },
];

/// Rules of crates in the folder of another one: the command, and unpublished tools.
pub(super) const INSIDE: &[Arrows] = &[
    Arrows {
        package: CLI_CRATE,
        ours: &[REGISTRY_CRATE],
        optional: &[],
        why: "the command is a program like those of users, and takes everything from the registry",
    },
    Arrows {
        package: SERVERS_CRATE,
        ours: &[],
        optional: &[],
        why: "it is built with xtask, before everything else",
    },
    Arrows {
        package: BENCH_CRATE,
        ours: &[REGISTRY_CRATE],
        optional: &[],
        why: "it measures the crate that users depend on",
    },
    Arrows {
        package: "xtask-crash",
        ours: &[REGISTRY_CRATE, STORE_CRATE, SERVERS_CRATE, TESTKIT_CRATE],
        optional: &[],
        why: "its processes are programs like those of users, with a store that reports commits",
    },
    Arrows {
        package: FUZZ_CRATE,
        ours: &[CORE_CRATE, HTTP_CRATE, REGISTRY_CRATE, STORE_CRATE],
        optional: &[],
        why: "it passes hostile bytes to each parser",
    },
    Arrows {
        package: "xtask-fuzz-targets",
        ours: &[FUZZ_CRATE],
        optional: &[],
        why: "each target is a program without code of its own",
    },
    Arrows {
        package: SECURITY_CRATE,
        ours: &[CORE_CRATE, HTTP_CRATE, REGISTRY_CRATE, TESTKIT_CRATE],
        optional: &[],
        why: "it attacks every part that strangers can reach",
    },
    Arrows {
        package: "xtask-simulate",
        ours: &[TESTKIT_CRATE],
        optional: &[],
        why: "it runs the simulations that users can run",
    },
];

/// Rules of all crates.
pub(super) fn arrows() -> impl Iterator<Item = &'static Arrows> {
    ARROWS.iter().chain(INSIDE)
}

pub(super) fn is_ours(name: &str) -> bool {
    arrows().any(|known| known.package == name)
}

/// Complete list of the dependencies of a crate, with their allowed features.
pub(super) struct Allowed {
    pub(super) package: &'static str,
    pub(super) dependencies: &'static [&'static str],
    /// Allowed features of a dependency; any for a dependency that is not listed.
    pub(super) features: &'static [(&'static str, &'static [&'static str])],
    pub(super) why: &'static str,
}

pub(super) const ALLOWED: &[Allowed] = &[Allowed {
    package: CORE_CRATE,
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

/// Foreign crates that only one crate of this workspace may depend on.
pub(super) struct Owned {
    pub(super) dependencies: &'static [&'static str],
    pub(super) owner: &'static str,
    /// True if other crates may use them in tests.
    pub(super) free_in_tests: bool,
    pub(super) why: &'static str,
}

pub(super) const OWNED: &[Owned] = &[
    Owned {
        dependencies: &["sea-orm", "sea-orm-migration", "sea-query", "sea-schema", "sqlx"],
        owner: STORE_CRATE,
        free_in_tests: false,
        why: "only the store uses the database, in tests too",
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
        owner: HTTP_CRATE,
        free_in_tests: true,
        why: "only the crate of the transport uses HTTP, TLS and cryptography",
    },
    Owned {
        dependencies: &["clap", "indicatif", "jiff"],
        owner: CLI_CRATE,
        free_in_tests: false,
        why: "there is one command line",
    },
];

/// Crates that a feature set must contain, or must not, by `cargo tree --edges normal`.
pub(super) struct Tree {
    pub(super) package: &'static str,
    pub(super) flags: &'static [&'static str],
    pub(super) always: &'static [&'static str],
    /// Names, or beginnings of names before a `*`.
    pub(super) never: &'static [&'static str],
    /// True if tokio may have features beyond channels and locks.
    pub(super) runtime: bool,
    pub(super) why: &'static str,
}

pub(super) const TREES: &[Tree] = &[
    Tree {
        package: CORE_CRATE,
        flags: &[],
        always: &[],
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
        package: HTTP_CRATE,
        flags: &["--no-default-features", "--features", "signer"],
        always: &["ring"],
        never: &["hickory-*", "hyper", "hyper-util", "mio", "rustls", "socket2", "tokio-rustls"],
        runtime: false,
        why: "a receiver that only verifies pulls ring and the core",
    },
    Tree {
        package: HTTP_CRATE,
        flags: &["--features", "signer,transport,vault"],
        always: &["hyper", "ring", "rustls"],
        never: &["x509-parser"],
        runtime: true,
        why: "sending needs no parser of certificates",
    },
    Tree {
        package: REGISTRY_CRATE,
        flags: &["--no-default-features"],
        always: &[CORE_CRATE],
        never: &[
            HTTP_CRATE,
            STORE_CRATE,
            TESTKIT_CRATE,
            "clap",
            "hickory-*",
            "hyper",
            "ring",
            "rustls",
            "sea-*",
            "sqlx*",
        ],
        runtime: true,
        why: "without features it depends on the core alone and accepts any adapter",
    },
    Tree {
        package: REGISTRY_CRATE,
        flags: &[],
        always: &[HTTP_CRATE],
        never: &[STORE_CRATE, TESTKIT_CRATE, "libsqlite3-sys", "sea-*", "sqlx*"],
        runtime: true,
        why: "the default sends over HTTP, and databases need an explicit feature",
    },
    Tree {
        package: REGISTRY_CRATE,
        flags: &["--features", "receiver,sqlx"],
        always: &[],
        never: &[STORE_CRATE],
        runtime: true,
        why: "a database library needs an explicit feature",
    },
    Tree {
        package: REGISTRY_CRATE,
        flags: &["--all-features", "--features", "mysql,postgres,sqlite"],
        always: &[STORE_CRATE],
        never: &[
            CLI_CRATE,
            TESTKIT_CRATE,
            "clap",
            "indicatif",
            "jiff",
            "tempfile",
            "tracing-subscriber",
        ],
        runtime: true,
        why: "users of the library pull no crates of the command line",
    },
    Tree {
        package: STORE_CRATE,
        flags: &["--features", "sqlx"],
        always: &[],
        never: &["libsqlite3-sys", "sqlx-mysql", "sqlx-postgres", "sqlx-sqlite"],
        runtime: true,
        why: "a database library needs an explicit feature",
    },
    Tree {
        package: STORE_CRATE,
        flags: &["--features", "sqlite"],
        always: &["sqlx-sqlite"],
        never: &[
            HTTP_CRATE,
            TESTKIT_CRATE,
            "hyper",
            "native-tls",
            "openssl*",
            "sqlx-mysql",
            "sqlx-postgres",
        ],
        runtime: true,
        why: "a database does not need the driver of another",
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
