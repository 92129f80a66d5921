//! Files of programs with comments that say what they compute.
//!
//! Programs are separated by blank lines. The comment lines under a program are checks or, where they begin with a capital
//! letter, remarks:
//!
//! ```text
//! { lambda ; a:f32[2]. let b:f32[2] = neg a in (b,) }
//! # run: f32[2]={1.0 -2.0} == f32[2]={-1.0 2.0}
//! # run --vmap=0: f32[1,2]={1.0 -2.0} == f32[1,2]={-1.0 2.0}
//! # show --vmap=0
//! ```

use std::fmt;

use rjax_autodiff::{BatchAxis, grad, jvp, linearize_program, vjp_program, vmap};
use rjax_codegen_cpu::{Options as Compiling, compile};
use rjax_ir::{Program, Result, Tensor};
use rjax_kernel::{Options as Planning, interpret, plan};
use rjax_rewrite::{Options as Simplifying, Tier, simplify};

/// A program and what is checked of it.
#[derive(Clone, Debug)]
pub struct Section {
    /// Line of the file, from 1.
    pub line: usize,
    /// The program as it stands in the file, padded with empty lines so that locations fit.
    pub text: String,
    /// What is checked.
    pub checks: Vec<Check>,
}

/// One check of a program.
#[derive(Clone, Debug)]
pub enum Check {
    /// `run TRANSFORM…: INPUTS == OUTPUTS`: the values are the same, bit for bit but for NaN; with `~=` nearly the same.
    Run {
        /// Line of the file.
        line: usize,
        /// What is done to the program first.
        transforms: Vec<Transform>,
        /// Its inputs.
        inputs: Vec<Tensor>,
        /// What it gives.
        outputs: Vec<Tensor>,
        /// How far from that it may be; see [`same`](crate::compare::same).
        ulps: f64,
    },
    /// `show TRANSFORM…`: the transformed program is in the file's snapshot.
    Show(Vec<Transform>),
    /// `error at LINE:COLUMN: TEXT`: parsing fails with this message at this place, counted from where the program begins.
    Error {
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
        /// The message.
        message: String,
    },
}

/// A transformation by its name on the command line of `rjax-opt`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transform {
    /// `jvp`, `vmap`, ….
    pub name: String,
    /// What follows `=`.
    pub argument: String,
}

/// How far results may be off, in units of the last place, where a line with `~=` does not say.
const NEARLY: f64 = 8.0;

/// The programs of a file and their checks.
pub fn sections(contents: &str, file: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = vec![];
    let lines: Vec<&str> = contents.lines().collect();
    let mut next = 0;
    while next < lines.len() {
        let start = next;
        while next < lines.len() && !lines[next].trim().is_empty() {
            next += 1;
        }
        let (program, comments): (Vec<usize>, Vec<usize>) = (start..next).partition(|&i| !lines[i].starts_with('#'));
        if !program.is_empty() {
            let body: Vec<&str> = (start..next).map(|i| if program.contains(&i) { lines[i] } else { "" }).collect();
            let text = format!("{}{}", "\n".repeat(start), body.join("\n"));
            let mut checks = vec![];
            for comment in directives(&lines, &comments) {
                let (line, text) = comment;
                checks.extend(check(line, &text).map_err(|e| format!("{file}:{line}: {e}\n  {text}"))?);
            }
            sections.push(Section { line: start + 1, text, checks });
        }
        next += 1;
    }
    Ok(sections)
}

/// The comments with their lines; a line that begins with two spaces or more goes on with the one before.
fn directives(lines: &[&str], comments: &[usize]) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = vec![];
    for &i in comments {
        let text = &lines[i][1..];
        match found.last_mut() {
            Some((_, before)) if text.starts_with("  ") => {
                before.push(' ');
                before.push_str(text.trim());
            }
            _ => found.push((i + 1, text.trim().to_string())),
        }
    }
    found
}

/// The check that a comment describes; `None` for a remark.
fn check(line: usize, comment: &str) -> Result<Option<Check>, String> {
    if comment.starts_with(|c: char| c.is_uppercase()) {
        return Ok(None);
    }
    let (head, rest) = comment.split_once(": ").unwrap_or((comment, ""));
    let mut words = head.split_whitespace();
    let keyword = words.next().unwrap_or_default();
    if keyword == "error" {
        let place = words.nth(1).and_then(|place| place.split_once(':'));
        let place = place.and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?)));
        let (line, column) = place.ok_or("expected `error at LINE:COLUMN: MESSAGE`")?;
        return Ok(Some(Check::Error { line, column, message: rest.to_string() }));
    }
    let transforms = words.map(Transform::parse).collect::<Result<Vec<_>, _>>()?;
    match keyword {
        "show" => Ok(Some(Check::Show(transforms))),
        "run" => {
            let (rest, within) = match rest.rsplit_once(" within ") {
                Some((rest, within)) => {
                    let ulps = within.strip_suffix(" ulps").and_then(|ulps| ulps.parse().ok());
                    (rest, ulps.ok_or("expected `within N ulps`")?)
                }
                None => (rest, NEARLY),
            };
            let (inputs, outputs, ulps) = match (rest.split_once("=="), rest.split_once("~=")) {
                (Some((inputs, outputs)), None) => (inputs, outputs, 0.0),
                (None, Some((inputs, outputs))) => (inputs, outputs, within),
                (Some(_), Some(_)) | (None, None) => {
                    return Err("expected INPUTS == OUTPUTS or INPUTS ~= OUTPUTS".into());
                }
            };
            let values = |text: &str| Tensor::parse_list(text.trim(), "values").map_err(|e| e.to_string());
            Ok(Some(Check::Run { line, transforms, inputs: values(inputs)?, outputs: values(outputs)?, ulps }))
        }
        _ => Err("expected `run`, `show`, `error` or a remark that begins with a capital letter".to_string()),
    }
}

impl Transform {
    /// `--vmap=0,_`.
    fn parse(word: &str) -> Result<Transform, String> {
        let word = word.strip_prefix("--").ok_or_else(|| format!("expected a transformation, found `{word}`"))?;
        let (name, argument) = word.split_once('=').unwrap_or((word, ""));
        Ok(Transform { name: name.to_string(), argument: argument.to_string() })
    }

    /// The transformed program; `inputs` are those it will run on.
    pub fn apply(&self, program: &Program, inputs: &[Tensor]) -> Result<Program, String> {
        let result = match self.name.as_str() {
            "vmap" => {
                let (axes, name) = self.argument.split_once('@').map_or((&*self.argument, None), |(a, n)| (a, Some(n)));
                let axes: Vec<Option<usize>> = axes.split(',').map(|axis| axis.parse().ok()).collect();
                let batched =
                    axes.iter().zip(inputs).find_map(|(axis, input)| axis.map(|axis| input.shape().get(axis)));
                let size = batched.flatten().copied().unwrap_or(2);
                let axis = BatchAxis { size, name: name.map(Into::into) };
                vmap(program, &axis, &axes, &vec![Some(0); program.outvars.len()])
            }
            "jvp" => jvp(program),
            "vjp" => vjp_program(program),
            "grad" => grad(program, None),
            "linearize" => linearize_program(program),
            "simplify" => simplify(program, &Simplifying::default()),
            name => return Err(format!("there is no transformation --{name}")),
        };
        result.map_err(|e| e.to_string())
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transform { name, argument } = self;
        if argument.is_empty() { write!(f, "--{name}") } else { write!(f, "--{name}={argument}") }
    }
}

/// All transformations in order.
pub fn transformed(program: &Program, transforms: &[Transform], inputs: &[Tensor]) -> Result<Program, String> {
    let mut program = program.clone();
    for transform in transforms {
        program = transform.apply(&program, inputs).map_err(|e| format!("--{}: {e}", transform.name))?;
        rjax_ir::verify(&program).map_err(|e| format!("--{}: {e}\n{program}", transform.name))?;
    }
    Ok(program)
}

/// Something that runs programs.
pub type Backend = fn(&Program, &[Tensor]) -> Result<Vec<Tensor>>;

/// Everything that runs programs, by name; the reference interpreter first.
pub const BACKENDS: &[(&str, Backend)] = &[
    ("interpreter", rjax_ir::eval),
    ("interpreter, simplified", |program, inputs| rjax_ir::eval(&strictly_simplified(program)?, inputs)),
    ("KIR interpreter", |program, inputs| Ok(interpret(&plan(program, &Planning::default())?, inputs))),
    ("cpu", |program, inputs| compile(&plan(program, &Planning::default())?, &Compiling { threads: 1 })?.call(inputs)),
];

fn strictly_simplified(program: &Program) -> Result<Program> {
    simplify(program, &Simplifying { tier: Tier::Strict, ..Simplifying::default() })
}
