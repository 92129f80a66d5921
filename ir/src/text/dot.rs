//! Programs as graphs for graphviz.

use std::collections::HashMap;
use std::fmt::Write;

use super::ops::params;
use super::param::Param;
use super::print::{names, op_line};
use crate::{Atom, Eqn, Program, Var};

/// A program as a graph in the dot language: a box for each equation, an arrow with its type for each operand, programs
/// inside ops in frames of their own.
///
/// ```
/// use rjax_ir::{Program, text::dot};
/// let program = Program::parse("{ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }", "example").unwrap();
/// assert!(dot(&program).contains(r#"i0 -> e0 [label="a:f32[]"]"#));
/// ```
pub fn dot(program: &Program) -> String {
    let mut graph = Graph { text: String::new() };
    graph.line(0, "digraph program {");
    graph.line(1, "node [shape=box fontname=monospace];");
    graph.line(1, "edge [fontname=monospace fontsize=10];");
    graph.program(program, "", 1);
    graph.line(0, "}");
    graph.text
}

struct Graph {
    text: String,
}

impl Graph {
    fn line(&mut self, depth: usize, line: &str) {
        writeln!(self.text, "{}{line}", "  ".repeat(depth)).expect("writing to a string does not fail");
    }

    /// The nodes of one program; `prefix` keeps them apart from those of other programs.
    fn program(&mut self, program: &Program, prefix: &str, depth: usize) {
        let names = names(program);
        let mut nodes: HashMap<Var, String> = HashMap::new();
        for (index, (v, value)) in program.consts.iter().enumerate() {
            let node = format!("{prefix}c{index}");
            self.line(
                depth,
                &format!("{node} [label={} shape=ellipse style=filled];", label(&value.aval().to_string())),
            );
            nodes.insert(*v, node);
        }
        for (index, &v) in program.invars.iter().enumerate() {
            let node = format!("{prefix}i{index}");
            self.line(depth, &format!("{node} [label={} shape=ellipse];", label(&binder(program, &names, v))));
            nodes.insert(v, node);
        }
        for (index, eqn) in program.eqns.iter().enumerate() {
            let node = format!("{prefix}e{index}");
            self.equation(eqn, &node, depth);
            self.edges(program, &names, &nodes, &eqn.inputs, &node, depth);
            nodes.extend(eqn.outputs.iter().map(|&v| (v, node.clone())));
        }
        for (index, &output) in program.outvars.iter().enumerate() {
            let node = format!("{prefix}o{index}");
            self.line(depth, &format!("{node} [label={} shape=ellipse];", label(&format!("output {index}"))));
            self.edges(program, &names, &nodes, &[output], &node, depth);
        }
    }

    fn edges(
        &mut self,
        program: &Program,
        names: &HashMap<Var, String>,
        nodes: &HashMap<Var, String>,
        operands: &[Atom],
        node: &str,
        depth: usize,
    ) {
        for (index, &operand) in operands.iter().enumerate() {
            match operand {
                Atom::Var(v) => {
                    let edge = label(&binder(program, names, v));
                    self.line(depth, &format!("{} -> {node} [label={edge}];", nodes[&v]));
                }
                Atom::Lit(value) => {
                    let literal = format!("{node}l{index}");
                    self.line(depth, &format!("{literal} [label={} shape=plaintext];", label(&value.to_string())));
                    self.line(depth, &format!("{literal} -> {node};"));
                }
            }
        }
    }

    fn equation(&mut self, eqn: &Eqn, node: &str, depth: usize) {
        if eqn.op.subprograms().is_empty() {
            self.line(depth, &format!("{node} [label={}];", label(&op_line(&eqn.op))));
            return;
        }
        self.line(depth, &format!("{node} [label={} style=bold];", label(eqn.op.name())));
        for (name, value) in params(&eqn.op) {
            let inner: Vec<(String, _)> = match value {
                Param::Program(program) => vec![(name.to_string(), program)],
                Param::Tuple(items) => {
                    let programs = items.into_iter().enumerate().filter_map(|(i, item)| {
                        if let Param::Program(program) = item { Some((format!("{name}[{i}]"), program)) } else { None }
                    });
                    programs.collect()
                }
                Param::None
                | Param::Bool(_)
                | Param::Int(_)
                | Param::Name(_)
                | Param::Scalar(_)
                | Param::Aval(_)
                | Param::List(_)
                | Param::Record(..) => vec![],
            };
            for (index, (name, program)) in inner.into_iter().enumerate() {
                let prefix = format!("{node}_{}{index}_", name.split('[').next().unwrap_or_default());
                self.line(depth, &format!("subgraph cluster_{prefix} {{"));
                self.line(depth + 1, &format!("label={};", label(&format!("{} of {}", name, eqn.op.name()))));
                self.program(&program, &prefix, depth + 1);
                self.line(depth, "}");
                if !program.outvars.is_empty() {
                    self.line(depth, &format!("{prefix}o0 -> {node} [style=dashed];"));
                }
            }
        }
    }
}

fn binder(program: &Program, names: &HashMap<Var, String>, v: Var) -> String {
    format!("{}:{}", names[&v], program.avals[v.index()])
}

/// A quoted label.
fn label(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
