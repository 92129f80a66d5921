//! JAX's public names, each with a verdict: what rjax has for it, that it comes later, or why it never will.
//!
//! `tests/names/names.txt` is the list: `NAME has PATH`, `NAME later` or `NAME never REASON`. From it are made a module that
//! imports every path, so that none is invented, and a page of the book. `RJAX_UPDATE=1 cargo test -p rjax --test api names`
//! writes both anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

#[rustfmt::skip]
#[expect(unused_imports, reason = "importing is the test")]
mod paths;

const LIST: &str = include_str!("../names/names.txt");

#[derive(Clone, Copy, PartialEq)]
enum Verdict<'a> {
    Has(&'a str),
    Later,
    Never(&'a str),
}

/// Names by module, in the list's order.
fn list() -> Vec<(&'static str, Vec<(&'static str, Verdict<'static>)>)> {
    let mut modules: Vec<(&str, Vec<(&str, Verdict<'_>)>)> = Vec::new();
    for line in LIST.lines() {
        let mut words = line.splitn(3, ' ');
        let (full, verdict, rest) = (words.next().unwrap(), words.next(), words.next());
        let verdict = match (verdict, rest) {
            (Some("has"), Some(path)) => Verdict::Has(path),
            (Some("later"), None) => Verdict::Later,
            (Some("never"), Some(reason)) => Verdict::Never(reason),
            (_, _) => panic!("no verdict: {line}"),
        };
        let (module, name) = full.rsplit_once('.').unwrap();
        match modules.last_mut() {
            Some((last, names)) if *last == module => names.push((name, verdict)),
            Some(_) | None => modules.push((module, vec![(name, verdict)])),
        }
    }
    modules
}

/// The file has these contents, or gets them where the environment asks for it.
#[track_caller]
fn up_to_date(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("RJAX_UPDATE").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is out of date; run with RJAX_UPDATE=1", path.display());
}

#[test]
fn every_name_has_one_verdict() {
    let mut seen = BTreeSet::new();
    for line in LIST.lines() {
        assert!(seen.insert(line.split(' ').next().unwrap()), "twice: {line}");
    }
    let modules: BTreeMap<&str, usize> = list().into_iter().map(|(module, names)| (module, names.len())).collect();
    for (module, least) in [("jax", 100), ("jax.numpy", 400), ("jax.lax", 370), ("jax.random", 48)] {
        assert!(modules[module] >= least, "{module} has {} names", modules[module]);
    }
}

#[test]
fn every_path_exists() {
    let paths: BTreeSet<&str> = list()
        .into_iter()
        .flat_map(|(_, names)| names)
        .filter_map(|(_, verdict)| match verdict {
            Verdict::Has(path) => Some(path),
            Verdict::Later | Verdict::Never(_) => None,
        })
        .collect();
    let mut text = String::from("//! Every path that `names.txt` names. Generated: see the module above.\n\n");
    for path in paths {
        writeln!(text, "use rjax::{path} as _;").unwrap();
    }
    up_to_date("tests/api/names/paths.rs", &text);
}

#[test]
fn the_book_shows_the_list() {
    let modules = list();
    let count = |names: &[(&str, Verdict<'_>)], which: fn(&Verdict<'_>) -> bool| {
        names.iter().filter(|(_, verdict)| which(verdict)).count()
    };
    let mut text = String::from(
        "# JAX's names\n\nThe public names of JAX 0.10.2 and what rjax has for them. This page is made from \
         `rjax/tests/names/names.txt` by a test,\nwhich also compiles every path.\n\n| module | has | later | never |\n\
         | --- | ---: | ---: | ---: |\n",
    );
    for (module, names) in &modules {
        let has = count(names, |v| matches!(v, Verdict::Has(_)));
        let later = count(names, |v| matches!(v, Verdict::Later));
        writeln!(text, "| `{module}` | {has} | {later} | {} |", names.len() - has - later).unwrap();
    }
    for (module, names) in &modules {
        write!(text, "\n## {module}\n\n| name | rjax |\n| --- | --- |\n").unwrap();
        let mut later = Vec::new();
        let mut never: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, verdict) in names {
            match verdict {
                Verdict::Has(path) => writeln!(text, "| `{name}` | `{path}` |").unwrap(),
                Verdict::Later => later.push(format!("`{name}`")),
                Verdict::Never(reason) => never.entry(*reason).or_default().push(format!("`{name}`")),
            }
        }
        if !later.is_empty() {
            write!(text, "\nLater: {}.\n", later.join(", ")).unwrap();
        }
        for (reason, names) in never {
            write!(text, "\nNever, since {reason}: {}.\n", names.join(", ")).unwrap();
        }
    }
    up_to_date("../docs/jax-names.md", &text);
}
