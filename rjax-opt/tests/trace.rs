//! Profiles are JSON in the Trace Event Format, and their spans are what happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use json::Json;

#[path = "../src/check/json.rs"]
mod json;

/// A network in a loop, large enough for threads to share it, and a sum.
const LAYERS: &str = "{ lambda ; a:f32[512,512] b:f32[512,512].
  let
    c:f32[512,512] d:f32[4] = scan[
      jaxpr={ lambda ; e:f32[512,512] f:f32[512,512].
        let
          g:f32[512,512] = dot_general[dimension_numbers=(([1], [0]), ([], [])) preferred_element_type=f32] f e
          h:f32[512,512] = tanh g
          i:f32[] = reduce_sum[axes=(0, 1)] h
        in (h, i) }
      length=4
      num_carry=1
      num_consts=1
    ] b a
  in (c, d) }
";

struct Event {
    name: String,
    category: String,
    thread: String,
    /// Nanoseconds.
    begin: u64,
    end: u64,
    arguments: BTreeMap<String, Json>,
}

impl Event {
    fn note(&self, name: &str) -> &str {
        self.arguments.get(name).and_then(Json::text).unwrap_or_else(|| panic!("{}: {name}", self.name))
    }

    fn number(&self, name: &str) -> f64 {
        number(self.arguments.get(name).unwrap_or_else(|| panic!("{}: {name}", self.name)))
    }
}

fn number(value: &Json) -> f64 {
    let Json::Other(digits) = value else { panic!("{value:?} is no number") };
    digits.parse().expect("a number")
}

/// The complete events of a trace, and the names of its threads.
fn parsed(trace: &str) -> (Vec<Event>, BTreeMap<String, String>) {
    let json = Json::parse(trace).expect("JSON");
    let (mut events, mut threads) = (vec![], BTreeMap::new());
    for item in json.get("traceEvents").expect("there are events").items() {
        let field = |name: &str| item.get(name).unwrap_or_else(|| panic!("{item:?}: {name}"));
        let Json::Other(thread) = field("tid").clone() else { panic!("{item:?}") };
        let Json::Object(arguments) = field("args").clone() else { panic!("{item:?}") };
        let name = field("name").text().expect("a string").to_string();
        if field("ph").text() == Some("M") {
            assert_eq!(name, "thread_name");
            threads.insert(thread, arguments["name"].text().expect("a string").to_string());
            continue;
        }
        assert_eq!(field("ph").text(), Some("X"));
        let nanos = |name: &str| (number(field(name)) * 1e3).round() as u64;
        let begin = nanos("ts");
        let category = field("cat").text().expect("a string").to_string();
        events.push(Event { name, category, thread, begin, end: begin + nanos("dur"), arguments });
    }
    (events, threads)
}

fn trace(command: &str, threads: &str) -> (Vec<Event>, BTreeMap<String, String>) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-{command}-{threads}"));
    fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    let (program, out) = (folder.join("layers.jaxpr"), folder.join("trace.json"));
    fs::write(&program, LAYERS).expect("the folder of temporary files can be written");
    let mut run = Command::new(env!("CARGO_BIN_EXE_rjax-opt"));
    run.arg(command).arg(&program).arg("--trace").arg(&out).args(["--threads", threads, "--repeat", "1"]);
    let output = run.output().expect("the binary was built for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    parsed(&fs::read_to_string(out).expect("the trace was written"))
}

#[test]
fn spans_nest_and_cover_the_call() {
    for count in ["1", "2"] {
        let (events, threads) = trace("bench", count);
        let calls: Vec<&Event> = events.iter().filter(|event| event.category == "call").collect();
        let [call] = calls[..] else { panic!("{} calls", calls.len()) };
        assert!(call.note("inputs") == "f32[512,512] f32[512,512]" && call.number("bytes") > 3.0 * 1048576.0);

        // On each thread, spans are apart or one in the other.
        for x in &events {
            assert!(
                x.begin <= x.end && call.begin <= x.begin && x.end <= call.end,
                "{} is outside of the call",
                x.name
            );
            assert!(threads.contains_key(&x.thread), "thread {} has no name", x.thread);
            for y in events.iter().filter(|y| y.thread == x.thread && y.begin >= x.begin) {
                let nested = y.end <= x.end || y.begin == x.begin;
                assert!(y.begin >= x.end || nested, "{} and {} overlap", x.name, y.name);
            }
        }

        // The steps of the caller are the four iterations, in one loop, and take nearly all of the time.
        let own: Vec<&Event> = events.iter().filter(|event| event.thread == call.thread).collect();
        let named = |start: &str| own.iter().filter(|event| event.name.starts_with(start)).count();
        assert_eq!((named("for 4"), named("gemm f32 512x512x512")), (1, 4));
        let leaves = own.iter().filter(|event| ["kernel", "routine"].contains(&event.category.as_str()));
        let covered: u64 = leaves.map(|event| event.end - event.begin).sum();
        let whole = call.end - call.begin;
        assert!(covered * 10 > whole * 8 && covered <= whole, "the steps take {covered} of {whole} ns");

        let product = own.iter().find(|event| event.name.starts_with("gemm")).expect("there are four");
        assert_eq!(product.number("flops"), 2.0 * 512.0 * 512.0 * 512.0);
        assert_eq!(product.number("bytes"), 3.0 * 4.0 * 512.0 * 512.0);
        assert_eq!(product.note("equations"), "dot_general f32[512,512]");
        assert!(product.note("source").contains("layers.jaxpr:"), "{}", product.note("source"));
        let kernel = own.iter().find(|event| event.category == "kernel").expect("there is a kernel");
        assert!(kernel.note("equations").contains("tanh f32[512,512]") && kernel.number("flops") >= 512.0 * 512.0);

        // What workers took over is on their threads. With one thread there are none.
        let shared: Vec<&Event> = events.iter().filter(|event| event.thread != call.thread).collect();
        assert!(shared.iter().all(|event| threads[&event.thread] == "rjax-worker" && event.number("parts") >= 1.0));
        assert!(count != "1" || shared.is_empty());
    }
}
