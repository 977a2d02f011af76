//! URLs, word by word.

use super::Config;
use crate::target::Environment;
use history::Consistency;
use std::sync::Arc;

fn parse(url: &str) -> Result<Config, String> {
    let environment: Environment =
        Arc::new(|name| (name == "CASSANDRA_PASSWORD").then(|| "from outside".to_owned()));
    Config::parse(url, &environment).map_err(|e| format!("{e}; {}", e.complaint().remedy))
}

#[test]
fn a_url_names_contact_points_a_keyspace_and_levels() {
    let url = "cassandra://me:s%40cret@one,two:19042,[::1]/mine?rf=3&dc=dc-1&consistency=local-quorum&serial=local-serial&with=gc_grace_seconds%3D60";
    let config = parse(url).unwrap();
    assert_eq!(config.hosts, ["one:9042", "two:19042", "[::1]:9042"]);
    assert_eq!(config.credentials(), Some(("me", "s@cret")));
    assert_eq!(config.keyspace.as_deref(), Some("mine"));
    assert_eq!((config.words.rf, config.words.dc.as_deref()), (3, Some("dc-1")));
    assert_eq!(config.words.consistency, Consistency::LocalQuorum);
    assert!(!config.words.serial_everywhere);
    assert_eq!(config.words.with, ["gc_grace_seconds=60"]);
    assert!(
        !config.shown.contains("cret") && !format!("{config:?}").contains("cret"),
        "{config:?}"
    );

    let config = parse("cassandra://me@host").unwrap();
    assert_eq!(config.credentials(), Some(("me", "from outside")));
    assert_eq!((config.keyspace, config.words.rf), (None, 1));
    let config = parse("cassandra:").unwrap();
    assert_eq!(
        (config.hosts.as_slice(), config.user),
        (&["127.0.0.1:9042".to_owned()][..], None)
    );
}

#[test]
fn a_url_that_makes_no_sense_is_told_what_would() {
    for (url, part) in [
        (
            "cassandra://host/My",
            "`My` is no keyspace that we can use; name one of lower-case",
        ),
        (
            "cassandra://host:no",
            "`host:no` is no host:port; the form is cassandra://",
        ),
        ("cassandra://a,,b", "`` is no host:port"),
        ("cassandra:host", "`host` is no part of a Cassandra URL"),
        (
            "cassandra://h?rf=0",
            "rf=0 is no number of replicas; give 1 or more",
        ),
        (
            "cassandra://h?consistency=any",
            "consistency=any is no level; known are one, two, three, quorum",
        ),
        (
            "cassandra://h?serial=x",
            "serial=x is no level; known are serial and local-serial",
        ),
        ("cassandra://h?dc=a'b", "dc=a'b is no data centre's name"),
        ("cassandra://h?with=fast", "with=fast is no option of a table"),
        ("cassandra://h?what=1", "unknown parameter `what`"),
    ] {
        let said = parse(url).unwrap_err();
        assert!(said.contains(part), "{url}: {said}");
    }
}
