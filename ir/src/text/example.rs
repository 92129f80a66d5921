//! A small program for every op, as documentation and as something to try passes on.

use crate::{Binary, Compare, DType, Op, Program, Unary};

/// A program with an equation of the op with this name and operands of this dtype; `None` for a name that no op has and for a
/// dtype that the op does not accept.
///
/// The collectives communicate along the axis `i`, which the program does not bind.
///
/// ```
/// use rjax_ir::{DType, text};
/// let program = text::example("sin", DType::F32).unwrap();
/// assert_eq!(program.to_string(), "{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }");
/// assert!(text::example("sin", DType::I32).is_none());
/// ```
pub fn example(name: &str, dtype: DType) -> Option<Program> {
    let text = elementwise(name, dtype).or_else(|| {
        let program = PROGRAMS.split("\n\n").find(|text| op_in(text) == Some(name))?;
        // An op without a choice of dtype has it spelled out: that of the first type in the text.
        let takes = program.contains('$') || program.split_once(':')?.1.starts_with(&format!("{dtype}["));
        takes.then(|| program.replace('$', &dtype.to_string()))
    })?;
    Program::parse(&text, name).ok()
}

const PROGRAMS: &str = include_str!("examples.jaxpr");

/// The op that a program of the file is about: the first that is a word on its own in front of parameters or operands.
fn op_in(text: &str) -> Option<&str> {
    let (_, equation) = text.split_once(" let")?;
    let op = equation.trim_start();
    // An equation without results begins with its op.
    let op = if op.starts_with("debug_print") { op } else { equation.split_once(" = ")?.1 };
    op.split(['[', ' ']).next()
}

fn elementwise(name: &str, dtype: DType) -> Option<String> {
    let compare = Compare::ALL.iter().find(|op| op.name() == name);
    let (op, operands) = Unary::parse(name).map(|op| (Op::Unary(op), 1)).or_else(|| {
        let binary = Binary::parse(name).map(Op::Binary);
        binary.or(compare.map(|op| Op::Compare(*op))).map(|op| (op, 2))
    })?;
    let aval = crate::Aval::new(dtype, [3]);
    let results = crate::infer::infer(&op, &vec![aval; operands]).ok()?;
    let [result] = &results[..] else { return None };
    Some(match operands {
        1 => format!("{{ lambda ; a:{dtype}[3]. let b:{result} = {name} a in (b,) }}"),
        _ => format!("{{ lambda ; a:{dtype}[3] b:{dtype}[3]. let c:{result} = {name} a b in (c,) }}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::names;

    #[test]
    fn every_op_has_an_example() {
        let has_one = |name: &&str| DType::ALL.iter().any(|&dtype| example(name, dtype).is_some());
        let missing: Vec<&str> = names().into_iter().filter(|name| !has_one(name)).collect();
        assert!(missing.is_empty(), "without a program in examples.jaxpr: {missing:?}");
        assert!(example("no_such_op", DType::F32).is_none());
    }

    #[test]
    fn examples_are_about_their_op() {
        for name in names() {
            for program in DType::ALL.iter().filter_map(|&dtype| example(name, dtype)) {
                assert!(program.eqns.iter().any(|eqn| eqn.op.name() == name), "{name}: {program}");
            }
        }
    }
}
