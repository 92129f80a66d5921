//! The text of fusion's decisions, for `--emit=nests`: what is computed together, and what is kept in memory.
//!
//! ```text
//! reduce f32[64] {
//!   t0:f32[64,128] = exp in0
//!   v0:f32[64] = reduce_sum t0
//! }
//! gemm v1:f32[64,10] = dot_general v0 in1
//! ```
//!
//! `v` are arrays in memory, `t` exist in registers only; one that several nests compute for themselves appears in each.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use rjax_ir::{Op, Program, Result};

use crate::fuse::{self, Fate, Fusion, Step};
use crate::graph::{Graph, NodeId, Ops, RegionId, Source, TOP, ValueId};
use crate::kir::Class;
use crate::{Options, lower, prepared};

/// The nests of a program.
pub fn nests(program: &Program, options: &Options) -> Result<String> {
    let ops = Ops::default();
    let prepared = prepared(program)?;
    let graph = Graph::new(&prepared, &ops)?;
    let fusion = fuse::fuse(&graph, options);
    let mut printer = Printer { graph: &graph, fusion: &fusion, names: HashMap::new(), text: String::new(), arrays: 0 };
    printer.region(TOP, 0);
    let results: Vec<String> = graph.region(TOP).results.iter().map(|&v| printer.name(v)).collect();
    printer.line(0, &format!("return {}", results.join(" ")));
    Ok(printer.text)
}

struct Printer<'a, 'p> {
    graph: &'a Graph<'p>,
    fusion: &'a Fusion,
    names: HashMap<ValueId, String>,
    text: String,
    arrays: usize,
}

impl Printer<'_, '_> {
    fn line(&mut self, depth: usize, line: &str) {
        writeln!(self.text, "{:1$}{line}", "", 2 * depth).expect("a string takes everything");
    }

    fn name(&mut self, value: ValueId) -> String {
        if let Some(name) = self.names.get(&value) {
            return name.clone();
        }
        let name = match self.graph.values[value.index()].source {
            Source::Input(i) => format!("in{i}"),
            Source::Const(i) => format!("const{i}"),
            Source::Literal(scalar) => format!("{scalar:?}"),
            Source::Node(id) if self.fusion.fate[id.index()] == Fate::Alias => {
                let of = self.name(self.graph.node(id).inputs[0]);
                let name = format!("{of}:{}", self.graph.aval(value));
                self.names.insert(value, name.clone());
                return name;
            }
            Source::Node(_) | Source::Param => {
                self.arrays += 1;
                format!("v{}", self.arrays - 1)
            }
        };
        self.names.insert(value, name.clone());
        name
    }

    fn typed(&mut self, value: ValueId) -> String {
        format!("{}:{}", self.name(value), self.graph.aval(value))
    }

    fn all(&mut self, values: &[ValueId]) -> String {
        let names: Vec<String> = values.iter().map(|&v| self.name(v)).collect();
        names.join(" ")
    }

    fn all_typed(&mut self, values: &[ValueId]) -> String {
        let names: Vec<String> = values.iter().map(|&v| self.typed(v)).collect();
        names.join(" ")
    }

    /// `outputs = op inputs`.
    fn equation(&mut self, id: NodeId) -> String {
        let node = self.graph.node(id);
        let (outputs, inputs) = (self.all_typed(&node.outputs), self.all(&node.inputs));
        let space = if inputs.is_empty() { "" } else { " " };
        format!("{outputs} = {}{space}{inputs}", node.op.name())
    }

    fn region(&mut self, region: RegionId, depth: usize) {
        let fusion = self.fusion;
        for step in &fusion.steps[region.index()] {
            match step {
                Step::Group { roots, .. } => {
                    let shape = self.graph.aval(self.graph.node(roots[0]).outputs[0]).to_string();
                    self.nest(roots, &shape, depth);
                }
                Step::Node(id) => self.node(*id, depth),
            }
        }
    }

    fn node(&mut self, id: NodeId, depth: usize) {
        let node = self.graph.node(id);
        if self.fusion.in_registers.contains(&id) {
            let equation = self.equation(id);
            self.line(depth, &format!("scan {equation}"));
        } else if matches!(node.op, Op::Cond { .. } | Op::While(_) | Op::Scan(_)) {
            let equation = self.equation(id);
            self.line(depth, &format!("{equation} {{"));
            for (i, &region) in node.regions.iter().enumerate() {
                let params = self.all_typed(&self.graph.region(region).params);
                self.line(depth + 1, format!("region {i} {params}").trim_end());
                self.region(region, depth + 2);
                let results = self.all(&self.graph.region(region).results);
                self.line(depth + 2, &format!("return {results}"));
            }
            self.line(depth, "}");
        } else if let Some(accumulated) = self.fusion.accumulated.get(&id) {
            let (outputs, target) = (self.all_typed(&node.outputs), self.name(accumulated.target));
            let dot = self.graph.node(accumulated.dot);
            let inputs = self.all(&dot.inputs);
            self.line(depth, &format!("gemm {outputs} = {target} + {} {inputs}", dot.op.name()));
        } else if matches!(node.op, Op::DotGeneral(_)) {
            let equation = self.equation(id);
            self.line(depth, &format!("gemm {equation}"));
        } else if matches!(node.op, Op::Conv(_)) {
            let equation = self.equation(id);
            self.line(depth, &format!("conv {equation}"));
        } else if matches!(
            node.op,
            Op::Transpose { .. } | Op::Sort(_) | Op::TopK { .. } | Op::Linalg(_) | Op::Fft(_) | Op::DebugPrint(_)
        ) {
            let equation = self.equation(id);
            self.line(depth, &format!("routine {equation}"));
        } else {
            let shape = self.graph.aval(node.outputs[0]).to_string();
            self.nest(&[id], &shape, depth);
        }
    }

    fn nest(&mut self, roots: &[NodeId], shape: &str, depth: usize) {
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        for &root in roots {
            self.collect(root, &mut seen, &mut order);
        }
        order.sort();
        let class = order.iter().map(|&id| lower::class(self.graph.node(id).op)).max().unwrap_or(Class::Map);
        self.line(depth, &format!("{class} {shape} {{"));
        let kept: HashMap<ValueId, String> = self.names.clone();
        let mut temporaries = 0;
        for &id in order.iter().filter(|id| !roots.contains(id)) {
            for &output in &self.graph.node(id).outputs {
                self.names.insert(output, format!("t{temporaries}"));
                temporaries += 1;
            }
        }
        for &id in &order {
            let equation = self.equation(id);
            self.line(depth + 1, &equation);
        }
        self.line(depth, "}");
        self.names.retain(|value, name| kept.contains_key(value) || !name.starts_with('t'));
    }

    /// The nodes that a root's kernel computes, in any order.
    fn collect(&self, root: NodeId, seen: &mut HashSet<NodeId>, order: &mut Vec<NodeId>) {
        let mut pending = vec![root];
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            order.push(id);
            let producers = self.graph.node(id).inputs.iter().filter_map(|&input| self.graph.producer(input));
            pending.extend(producers.filter(|producer| self.fusion.fate[producer.index()] == Fate::Inline));
        }
    }
}
