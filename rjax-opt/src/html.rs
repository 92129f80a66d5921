//! `--emit=html`: one page that shows what simplification and fusion make of a program.

use std::collections::HashMap;
use std::path::Path;

use rjax_ir::{Atom, DType, Program};
use rjax_rewrite::{Report, Rewrite};

use crate::args::Source;
use crate::figure::{self, Node, escaped};
use crate::{Result, pipeline};

const STYLE: &str = "
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 110em; padding: 0 1.5em; color: #1d2430; background: #fff; }
h1 { font-size: 1.5em; margin: 0 0 .2em; } h2 { font-size: 1.1em; margin: 1.6em 0 .5em; } p { margin: .3em 0; max-width: 60em; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2em .9em .2em 0; border-bottom: 1px solid #e3e7ee; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } code, pre, svg text { font-family: ui-monospace, Menlo, Consolas, monospace; }
pre { background: #f6f8fa; padding: .8em; overflow: auto; font-size: 12px; } .pictures { display: flex; gap: 2em; align-items: flex-start; flex-wrap: wrap; }
.picture { overflow: auto; max-width: 100%; max-height: 70em; border: 1px solid #e3e7ee; border-radius: 6px; padding: 1em; }
svg text { font-size: 11.5px; fill: #1d2430; } svg text.title { font-weight: 600; } svg path { fill: none; stroke: #9aa6b8; }
rect { stroke: #c3ccd9; fill: #fff; } rect.value { fill: #f0f2f5; } rect.result { fill: #e6f4ea; stroke: #7fbf95; }
rect.gemm { fill: #fdebd8; stroke: #e2a86b; } rect.kernel { fill: #e3edfb; stroke: #86abdc; } rect.other { fill: #f3e8fa; stroke: #bb94d1; }
.key span { display: inline-block; padding: 0 .6em; border-radius: 4px; margin-right: .6em; border: 1px solid #c3ccd9; font-size: .9em; }
";

/// The page for a program.
pub fn page(source: &Source, program: &Program) -> Result<String> {
    let (simplified, report) = pipeline::simplified(source, program)?;
    let nests = pipeline::nests(source, program)?;
    let launches = pipeline::module(source, program, &[])?.launches();
    let file = source.file.as_deref().filter(|file| *file != "-").map(Path::new).and_then(Path::file_name);
    let name = &file.map_or("a program".into(), |file| file.to_string_lossy());
    let (before, after) = (equations(program), groups(&simplified, &nests));
    let picture = |nodes: &[Node], what: &str| match figure::svg(nodes) {
        Some(svg) => format!("<div class=\"picture\">{svg}</div>"),
        None => format!("<p>{} {what}: no picture for more than {}. The text is below.</p>", nodes.len(), figure::MOST),
    };
    let body = [
        format!("<h1>{}</h1>", escaped(name)),
        costs(program, &simplified, &report, launches),
        format!("<h2>Rules</h2>{}", rules(&report)),
        "<h2>Before and after</h2><p class=\"key\"><span style=\"background:#fdebd8\">matrix product</span>\
         <span style=\"background:#e3edfb\">one kernel</span><span style=\"background:#f3e8fa\">control flow, routine</span>\
         <span style=\"background:#e6f4ea\">result</span></p><p>Left the equations as given, right what is computed together after simplification: \
         <code>v</code> are arrays in memory, <code>t</code> exist in registers only.</p>"
            .to_string(),
        format!("<div class=\"pictures\">{}{}</div>", picture(&before, "equations"), picture(&after, "groups")),
        text("The program as given", &program.to_string()),
        text("The program simplified", &simplified.to_string()),
        text("Its fusion groups", &nests),
    ];
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\n<body>\n{}\n</body></html>\n",
        escaped(name),
        body.join("\n")
    ))
}

fn text(title: &str, text: &str) -> String {
    format!("<details><summary>{title}</summary><pre>{}</pre></details>", escaped(text))
}

fn costs(program: &Program, simplified: &Program, report: &Report, launches: usize) -> String {
    let row = |what: &str, before: u64, after: String| {
        format!(
            "<tr><td>{what}</td><td class=\"number\">{}</td><td class=\"number\">{after}</td></tr>",
            grouped(before)
        )
    };
    let count = |program: &Program| program.count_eqns() as u64;
    let rows = [
        row("flops", report.before.flops, grouped(report.after.flops)),
        row("bytes, before fusion", report.before.bytes, grouped(report.after.bytes)),
        row("equations", count(program), grouped(count(simplified))),
    ];
    format!(
        "<table><tr><th></th><th class=\"number\">as given</th><th class=\"number\">simplified</th></tr>{}\
         <tr><td>kernels and routines</td><td></td><td class=\"number\">{launches}</td></tr></table>",
        rows.concat()
    )
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let place = |i: usize| if i > 0 && (digits.len() - i).is_multiple_of(3) { "\u{202f}" } else { "" };
    digits.chars().enumerate().map(|(i, digit)| format!("{}{digit}", place(i))).collect()
}

fn rules(report: &Report) -> String {
    if report.rewrites.is_empty() {
        return "<p>None has changed the program.</p>".to_string();
    }
    let row = |Rewrite { rule, class, identity, count }: &Rewrite| {
        format!(
            "<tr><td class=\"number\">{count}</td><td><code>{rule}</code></td><td>{class}</td><td>{}</td></tr>",
            escaped(identity)
        )
    };
    let rows: String = report.rewrites.iter().map(row).collect();
    let outputs: Vec<String> = report.outputs.iter().enumerate().map(|(i, class)| format!("out{i}: {class}")).collect();
    format!(
        "<table><tr><th class=\"number\">times</th><th>rule</th><th>class</th><th>identity</th></tr>{rows}</table>\
         <p>The least exact class behind each output: {}.</p>",
        outputs.join(", ")
    )
}

/// A box for each input, equation and output.
fn equations(program: &Program) -> Vec<Node> {
    let mut nodes: Vec<Node> = vec![];
    let mut makers: HashMap<u32, usize> = HashMap::new();
    let value = |title: String| Node { title, lines: vec![], style: "value", needs: vec![] };
    for (i, v) in program.invars.iter().enumerate() {
        makers.insert(v.0, nodes.len());
        nodes.push(value(format!("in{i}:{}", program.aval(*v))));
    }
    for (i, (v, _)) in program.consts.iter().enumerate() {
        makers.insert(v.0, nodes.len());
        nodes.push(value(format!("const{i}:{}", program.aval(*v))));
    }
    let needs = |makers: &HashMap<u32, usize>, inputs: &[Atom]| {
        let mut needs: Vec<usize> = inputs.iter().filter_map(|x| x.var()).map(|v| makers[&v.0]).collect();
        needs.sort();
        needs.dedup();
        needs
    };
    for eqn in &program.eqns {
        let types: Vec<String> = eqn.outputs.iter().map(|&v| program.aval(v).to_string()).collect();
        let style = style(eqn.op.name());
        let needs = needs(&makers, &eqn.inputs);
        makers.extend(eqn.outputs.iter().map(|v| (v.0, nodes.len())));
        nodes.push(Node { title: eqn.op.name().to_string(), lines: vec![types.join(" ")], style, needs });
    }
    for (i, output) in program.outvars.iter().enumerate() {
        let needs = needs(&makers, &[*output]);
        nodes.push(Node { title: format!("out{i}"), lines: vec![], style: "result", needs });
    }
    nodes
}

fn style(op: &str) -> &'static str {
    match op {
        "dot_general" | "conv_general_dilated" | "gemm" | "conv" => "gemm",
        "cond" | "while" | "scan" | "jit" | "routine" => "other",
        _elementwise => "",
    }
}

/// A box for each input, fusion group and output: the blocks of the text form of the groups, which names every array once.
fn groups(simplified: &Program, nests: &str) -> Vec<Node> {
    let mut arrays: HashMap<String, (usize, u64)> = HashMap::new();
    let mut nodes: Vec<Node> = vec![];
    for (i, aval) in simplified.in_avals().iter().enumerate() {
        arrays.insert(format!("in{i}"), (nodes.len(), aval.bytes() as u64));
        nodes.push(Node { title: format!("in{i}:{aval}"), lines: vec![], style: "value", needs: vec![] });
    }
    let mut block: Vec<&str> = vec![];
    for line in nests.lines() {
        block.push(line);
        let open = line.ends_with('{') || line.starts_with(' ');
        if open {
            continue;
        }
        let block = std::mem::take(&mut block);
        if let Some(results) = block[0].strip_prefix("return") {
            for (i, name) in results.split_whitespace().enumerate() {
                let needs = arrays.get(root(name)).map(|(node, _)| vec![*node]).unwrap_or_default();
                nodes.push(Node { title: format!("out{i}"), lines: vec![name.to_string()], style: "result", needs });
            }
            continue;
        }
        nodes.push(group(&block, nodes.len(), &mut arrays));
    }
    nodes
}

/// The array behind a name with another shape, as in `v3:f32[8]`.
fn root(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// The box of a block; what it writes is added to the arrays.
fn group(block: &[&str], number: usize, arrays: &mut HashMap<String, (usize, u64)>) -> Node {
    let (mut needs, mut read, mut written) = (vec![], 0, 0);
    let mut inside: Vec<(String, u64)> = vec![];
    for line in block {
        let (results, operands) = line.split_once(" = ").unwrap_or(("", line));
        for name in operands.split_whitespace() {
            if let Some((node, bytes)) = arrays.get(root(name))
                && !needs.contains(node)
            {
                needs.push(*node);
                read += bytes;
            }
        }
        for (name, ty) in results.split_whitespace().filter_map(|result| result.split_once(':')) {
            if name.starts_with('v') {
                let bytes = bytes_of(ty);
                written += bytes;
                inside.push((name.to_string(), bytes));
            }
        }
    }
    arrays.extend(inside.into_iter().map(|(name, bytes)| (name, (number, bytes))));
    let is_kernel = block.len() > 1 && !block[0].contains(" = ");
    let (title, lines) = if is_kernel {
        (block[0].trim_end_matches(" {").to_string(), &block[1..block.len() - 1])
    } else {
        (block[0].split_whitespace().next().unwrap_or_default().to_string(), block)
    };
    let style = if is_kernel { "kernel" } else { self::style(&title) };
    let style = if style.is_empty() { "other" } else { style };
    let mut lines: Vec<String> = lines.iter().take(24).map(|line| line.trim_end().to_string()).collect();
    if block.len() > 26 {
        lines.push(format!("… {} lines more", block.len() - 26));
    }
    lines.push(format!("reads {}, writes {}", sized(read), sized(written)));
    Node { title, lines, style, needs }
}

/// The size of an array of a type such as `f32[2,3]`.
fn bytes_of(ty: &str) -> u64 {
    let Some((dtype, shape)) = ty.trim_end_matches(']').split_once('[') else { return 0 };
    let elements: u64 = shape.split(',').filter_map(|extent| extent.parse::<u64>().ok()).product();
    DType::parse(dtype).map_or(0, |dtype| elements * dtype.size() as u64)
}

fn sized(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        10_000_000.. => format!("{} MB", bytes / 1_000_000),
    }
}
