//! What can be known without a java: parameters, configuration, ports.

use super::java::{arguments, is_size, yaml};
use super::{Local, Ports, address};
use crate::target::OpenOptions;
use std::collections::BTreeMap;

fn of(url: &str) -> Result<(u8, u16, String), String> {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::of(url, &OpenOptions::new(folder.path(), "gmt1"));
    local
        .map(|l| (l.nodes, l.words.rf, l.heap.clone()))
        .map_err(|e| format!("{e}; {}", e.complaint().remedy))
}

#[test]
fn parameters_of_a_local_cluster_are_read_or_told_about() {
    assert_eq!(of("cassandra:local"), Ok((1, 1, "256m".to_owned())));
    assert_eq!(of("cassandra:local?nodes=3&heap=1g"), Ok((3, 3, "1g".to_owned())));
    assert_eq!(
        of("cassandra:local?nodes=3&rf=2&consistency=one"),
        Ok((3, 2, "256m".to_owned()))
    );
    for (url, part) in [
        (
            "cassandra:local?nodes=4",
            "nodes=4 is too few or too many; give 1 to 3",
        ),
        (
            "cassandra:local?rf=2",
            "rf=2 needs as many nodes; give nodes= too",
        ),
        (
            "cassandra:local?heap=much",
            "heap=much is no size; write one such as 256m",
        ),
        (
            "cassandra:local?set=x",
            "set=x sets nothing; write set=name=value",
        ),
        (
            "cassandra:local?node=2",
            "unknown parameter `node`; known are nodes",
        ),
    ] {
        let said = of(url).unwrap_err();
        assert!(said.contains(part), "{url}: {said}");
    }
}

#[test]
fn a_cluster_that_is_not_installed_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let said = |url: &str| {
        let local = Local::of(
            url,
            &OpenOptions::new(folder.path().join(url.len().to_string()), "gmt1"),
        )
        .unwrap();
        let error = local.config().expect_err("there is none");
        format!("{error}; {}", error.complaint().remedy)
    };
    let version = said("cassandra:local?version=1.2.3");
    assert!(
        version
            .contains("Cassandra 1.2.3 is not installed here; in a checkout: cargo xtask servers cassandra"),
        "{version}"
    );
    let bin = said("cassandra:local?bin=/nowhere");
    assert!(
        bin.contains("there is no Cassandra (cassandra-all-….jar) in /nowhere"),
        "{bin}"
    );
}

#[test]
fn what_the_url_sets_stands_in_the_configuration_once() {
    let ports = Ports {
        cql: 1,
        storage: 2,
        agent: 3,
    };
    let settings: BTreeMap<String, String> = [("commitlog_sync", "periodic"), ("new_thing", "7")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let text = yaml(address(2), address(1), ports, 2, &settings);
    let lines = |start: &str| text.lines().filter(|l| l.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(lines("commitlog_sync:"), ["commitlog_sync: periodic"]);
    assert_eq!(lines("new_thing"), ["new_thing: 7"]);
    assert_eq!(lines("listen_address"), ["listen_address: 127.0.0.2"]);
    assert!(lines("seed_provider")[0].contains("127.0.0.1:2"));
}

#[test]
fn nodes_share_the_ring_evenly() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cassandra-all-5.0.9.jar"), "").unwrap();
    let jars = super::java::Jars::find(
        "",
        Some(folder.path()),
        None,
        &OpenOptions::new("", "gmt1").environment,
    );
    let jars = jars.unwrap();
    let ports = Ports {
        cql: 1,
        storage: 2,
        agent: 3,
    };
    let token = |node: u8| -> i128 {
        let all = arguments(&jars, "256m", address(node), ports, node, 3);
        let own = all
            .iter()
            .filter_map(|a| a.to_str()?.strip_prefix("-Dcassandra.initial_token="));
        own.map(|t| t.parse().unwrap()).next().unwrap()
    };
    assert_eq!(token(1), i128::from(i64::MIN) + 1);
    assert_eq!(token(2) - token(1), token(3) - token(2));
    assert!(token(3) < i128::from(i64::MAX));
    assert!(is_size("64m") && !is_size("64") && !is_size("m"));
}
