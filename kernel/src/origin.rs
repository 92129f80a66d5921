//! Which equations each step of a schedule computes, and where in the user's code they are, for profiles.

use std::collections::HashSet;

use rjax_ir::{Location, Program, Result};

use crate::fuse::{self, Fusion};
use crate::graph::{Graph, NodeId, Ops, ValueId};
use crate::kir::Access;
use crate::schedule::{Schedule, Work, memory_root, schedule};
use crate::{Options, prepared};

/// What a statement of the schedule was made from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Origin {
    /// The equations in order, as `op type of the result`.
    pub equations: Vec<String>,
    /// Where they are in the user's code, each place once; empty where that is not known.
    pub places: Vec<String>,
}

/// The origins of all statements of the module that [`plan`](crate::plan) makes of the same arguments, in the order of the schedule, those inside
/// of loops, branches and blocks of rows after the statement that they are in. Copies have none.
pub fn origins(program: &Program, options: &Options) -> Result<Vec<Origin>> {
    let prepared = prepared(program)?;
    let ops = Ops::default();
    let graph = Graph::new(&prepared, &ops)?;
    let fusion = fuse::fuse(&graph, options);
    let Schedule { work, kernels: _ } = schedule(&graph, &fusion)?;
    let mut finder = Finder { graph: &graph, fusion: &fusion, origins: vec![] };
    finder.block(&work);
    Ok(finder.origins)
}

struct Finder<'a, 'p> {
    graph: &'a Graph<'p>,
    fusion: &'a Fusion,
    origins: Vec<Origin>,
}

impl Finder<'_, '_> {
    fn block(&mut self, work: &[Work]) {
        work.iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Work) {
        match step {
            Work::Launch { args, access, .. } => {
                let written = args.iter().zip(access).filter(|(_, access)| **access != Access::Read);
                let roots: Vec<ValueId> = written.map(|(&value, _)| value).collect();
                let read = args.iter().zip(access).filter(|(_, access)| **access == Access::Read);
                let read: Vec<ValueId> = read.map(|(&value, _)| value).collect();
                self.computed(&roots, &read);
            }
            Work::Update { args, target, result, .. } => {
                let read: Vec<ValueId> = args.iter().copied().filter(|value| value != result).collect();
                self.computed(&[*result], &[&read[..], &[*target]].concat());
            }
            Work::Copy { .. } => {}
            Work::Accumulate(id) => self.nodes(&[self.fusion.accumulated[id].dot, *id]),
            Work::Gemm(id)
            | Work::Conv(id)
            | Work::Transpose(id)
            | Work::Sort(id)
            | Work::TopK(id)
            | Work::Library(id)
            | Work::Print(id) => self.nodes(&[*id]),
            Work::Cond { node, branches } => {
                self.nodes(&[*node]);
                branches.iter().for_each(|branch| self.block(branch));
            }
            Work::While { node, condition, body } => {
                self.nodes(&[*node]);
                self.block(condition);
                self.block(body);
            }
            Work::Scan { node, body } => {
                self.nodes(&[*node]);
                self.block(body);
            }
            Work::Rows { body, .. } => {
                self.origins.push(Origin::default());
                self.block(body);
            }
        }
    }

    /// The nodes between the arrays that a kernel reads and those that it writes.
    fn computed(&mut self, written: &[ValueId], read: &[ValueId]) {
        let root = |value: ValueId| memory_root(self.graph, self.fusion, value);
        let read: HashSet<ValueId> = read.iter().map(|&value| root(value)).collect();
        let mut pending: Vec<NodeId> = written.iter().filter_map(|&value| self.graph.producer(root(value))).collect();
        let mut nodes = HashSet::new();
        while let Some(id) = pending.pop() {
            if nodes.insert(id) {
                let inputs = self.graph.node(id).inputs.iter().map(|&value| root(value));
                let inside = inputs.filter(|value| !read.contains(value));
                pending.extend(inside.filter_map(|value| self.graph.producer(value)));
            }
        }
        let mut nodes: Vec<NodeId> = nodes.into_iter().collect();
        nodes.sort();
        self.nodes(&nodes);
    }

    fn nodes(&mut self, nodes: &[NodeId]) {
        let mut origin = Origin::default();
        for &id in nodes {
            let node = self.graph.node(id);
            let results: Vec<String> = node.outputs.iter().map(|&y| self.graph.aval(y).to_string()).collect();
            origin.equations.push(format!("{} {}", node.op.name(), results.join(" ")).trim_end().to_string());
            let place = match node.location {
                Location::Unknown => continue,
                place @ (Location::Rust(_) | Location::Text { .. }) => place.to_string(),
            };
            if !origin.places.contains(&place) {
                origin.places.push(place);
            }
        }
        self.origins.push(origin);
    }
}
