//! Recordings see functions that were compiled before them, change no result, and come one at a time.

use std::fs;
use std::io::ErrorKind;

use rjax::prelude::*;
use rjax::profiler;

#[test]
fn recordings_see_what_runs_and_change_nothing() {
    let path = std::env::temp_dir().join(format!("rjax-profile-{}.json", std::process::id()));
    let step = jit(grad(|w: &Array, x: &Array| x.dot(w).tanh().square().sum(..)));
    let (w, x) = (jnp::ones([64, 32], DType::F32) * 0.01, jnp::ones([16, 64], DType::F32));
    let expected = step(&w, &x).to_vec::<f32>();

    let found = profiler::trace(&path, || {
        // Within a recording there is no other.
        let error = profiler::trace(path.with_extension("second"), || ()).expect_err("one is under way");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        step(&w, &x);
        step(&w, &x).to_vec::<f32>()
    });
    assert_eq!(found.expect("the file can be written"), expected);
    let profile = fs::read_to_string(&path).expect("it was written");
    assert_eq!(profile.matches(r#""cat":"call""#).count(), 2, "{profile}");
    assert!(profile.contains("dot_general f32[64,32]") && profile.contains("tests/profiler.rs:12:"), "{profile}");

    // Afterwards nothing is recorded, and another recording begins empty.
    assert_eq!(step(&w, &x).to_vec::<f32>(), expected);
    profiler::trace(&path, || ()).expect("the file can be written");
    assert!(!fs::read_to_string(&path).expect("it was written").contains(r#""ph":"X""#));
    for path in [&path, &path.with_extension("second")] {
        fs::remove_file(path).expect("it was written");
    }
}
