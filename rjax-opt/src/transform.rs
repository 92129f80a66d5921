//! Transformations in the order in which the command line gives them.

use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command};
use rjax_autodiff::{BatchAxis, grad, jvp, linearize_program, vjp_program, vmap};
use rjax_ir::{Program, Shape};
use rjax_rewrite::{Options, Tier, simplify};

use crate::Result;

/// One transformation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transform {
    /// `--jvp`
    Jvp,
    /// `--vjp`
    Vjp,
    /// `--grad`, `--grad=0,2`
    Grad(Option<Vec<usize>>),
    /// `--linearize`
    Linearize,
    /// `--vmap=0,_:1`
    Vmap(VmapAxes),
    /// `--simplify`, `--simplify=strict`
    Simplify(Tier),
}

/// The axes of `--vmap`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VmapAxes {
    /// For each input its batch axis.
    pub inputs: Vec<Option<usize>>,
    /// For each output its batch axis; 0 everywhere if not given.
    pub outputs: Option<Vec<Option<usize>>>,
}

/// The flags, what they take and what they do.
const FLAGS: &[Flag] = &[
    Flag { name: "jvp", value: Value::None, help: "Differentiate forward: inputs, tangents to outputs, tangents" },
    Flag {
        name: "vjp",
        value: Value::None,
        help: "Differentiate in reverse: inputs, cotangents to outputs, cotangents",
    },
    Flag {
        name: "grad",
        value: Value::Optional("I,J…"),
        help: "The gradient of the first output for inputs I, J… (default: all inexact ones)",
    },
    Flag { name: "linearize", value: Value::None, help: "The derivative alone: inputs, tangents to tangents" },
    Flag {
        name: "vmap",
        value: Value::Required("A0,A1,…[:B0,…]"),
        help: "Batch: input i at axis Ai (`_`: not batched), output j at axis Bj (default 0)",
    },
    Flag {
        name: "simplify",
        value: Value::Optional("strict|default|fast"),
        help: "Simplify; strict keeps every bit, fast may lose accuracy by cancellation",
    },
];

struct Flag {
    name: &'static str,
    value: Value,
    help: &'static str,
}

#[derive(Clone, Copy)]
enum Value {
    None,
    Optional(&'static str),
    Required(&'static str),
}

impl Transform {
    /// The name of the flag, which `--print-after` takes too.
    pub fn name(&self) -> &'static str {
        match self {
            Transform::Jvp => "jvp",
            Transform::Vjp => "vjp",
            Transform::Grad(_) => "grad",
            Transform::Linearize => "linearize",
            Transform::Vmap(_) => "vmap",
            Transform::Simplify(_) => "simplify",
        }
    }

    /// The names that `--print-after` takes.
    pub fn names() -> Vec<&'static str> {
        FLAGS.iter().map(|flag| flag.name).chain(["plan", "all"]).collect()
    }

    /// How far a simplification may go; `None` for other transformations.
    pub fn tier(&self) -> Option<Tier> {
        if let Transform::Simplify(tier) = self { Some(*tier) } else { None }
    }

    fn parse(name: &str, value: &str) -> Result<Transform> {
        match name {
            "jvp" => Ok(Transform::Jvp),
            "vjp" => Ok(Transform::Vjp),
            "grad" if value.is_empty() => Ok(Transform::Grad(None)),
            "grad" => {
                let input = |i: &str| i.parse().map_err(|_| format!("`{i}` is not the number of an input"));
                value.split(',').map(input).collect::<Result<_>>().map(|inputs| Transform::Grad(Some(inputs)))
            }
            "linearize" => Ok(Transform::Linearize),
            "vmap" => value.parse().map(Transform::Vmap),
            "simplify" if value.is_empty() => Ok(Transform::Simplify(Tier::Default)),
            "simplify" => {
                let tier = Tier::parse(value).ok_or_else(|| format!("`{value}` is none of strict, default, fast"));
                tier.map(Transform::Simplify)
            }
            _ => Err(format!("there is no transformation --{name}")),
        }
    }

    /// The transformed program; `lanes` is the batch size of `vmap`.
    pub fn apply(&self, program: &Program, lanes: usize) -> Result<Program> {
        match self {
            Transform::Jvp => jvp(program),
            Transform::Vjp => vjp_program(program),
            Transform::Grad(inputs) => grad(program, inputs.as_deref()),
            Transform::Linearize => linearize_program(program),
            Transform::Vmap(axes) => {
                let outputs = axes.outputs.clone().unwrap_or_else(|| vec![Some(0); program.outvars.len()]);
                vmap(program, &BatchAxis::new(lanes), &axes.inputs, &outputs)
            }
            Transform::Simplify(tier) => simplify(program, &Options { tier: *tier, ..Options::default() }),
        }
        .map_err(|e| format!("--{}: {e}", self.name()))
    }
}

impl FromStr for VmapAxes {
    type Err = String;

    fn from_str(text: &str) -> Result<VmapAxes> {
        let axes = |list: &str| -> Result<Vec<Option<usize>>> {
            let axis = |axis: &str| match axis {
                "_" => Ok(None),
                _ => axis.parse().map(Some).map_err(|_| format!("`{axis}` is neither an axis nor `_`")),
            };
            if list.is_empty() { Ok(vec![]) } else { list.split(',').map(axis).collect() }
        };
        Ok(match text.split_once(':') {
            Some((inputs, outputs)) => VmapAxes { inputs: axes(inputs)?, outputs: Some(axes(outputs)?) },
            None => VmapAxes { inputs: axes(text)?, outputs: None },
        })
    }
}

/// All transformations of a command line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transforms(pub Vec<Transform>);

impl Transforms {
    /// The batch size of each transformation (`default` for those without one), as the shapes of the transformed program's
    /// inputs show it.
    ///
    /// Every transformation keeps the inputs that there were at the front. So the last `vmap` has added the last axis to
    /// them; without it, the one before has, and so on.
    pub fn lanes(&self, inputs: &[Shape], default: usize) -> Result<Vec<usize>> {
        let mut shapes = inputs.to_vec();
        let mut lanes = vec![default; self.0.len()];
        for (transform, lanes) in self.0.iter().zip(&mut lanes).rev() {
            if let Transform::Vmap(axes) = transform {
                *lanes = remove_batch(&mut shapes, axes)?.unwrap_or(default);
            }
        }
        Ok(lanes)
    }
}

/// Takes the batch axes out of the inputs' shapes and returns their extent.
fn remove_batch(shapes: &mut [Shape], axes: &VmapAxes) -> Result<Option<usize>> {
    let mut known = None;
    for (index, (shape, axis)) in shapes.iter_mut().zip(&axes.inputs).enumerate() {
        let Some(axis) = *axis else { continue };
        if axis >= shape.rank() {
            return Err(format!("--vmap: input in{index} has shape {shape}, so it has no axis {axis}"));
        }
        let (first, size) = *known.get_or_insert((index, shape[axis]));
        if size != shape[axis] {
            let message = format!("in{index} has {} along axis {axis}, in{first} has {size}", shape[axis]);
            return Err(format!("--vmap: the inputs have batches of different sizes: {message}"));
        }
        *shape = shape.without(&[axis]);
    }
    Ok(known.map(|(_, size)| size))
}

impl clap::Args for Transforms {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, flag| {
            let arg = Arg::new(flag.name)
                .long(flag.name)
                .help(flag.help)
                .action(ArgAction::Append)
                .help_heading("Transformations, applied in the order given");
            let name = flag.name;
            let parser = move |value: &str| Transform::parse(name, value);
            command.arg(match flag.value {
                // An option without values, unlike a flag, remembers where on the command line it stands.
                Value::None => arg.num_args(0).default_missing_value("").value_parser(parser),
                Value::Optional(what) => arg
                    .num_args(0..=1)
                    .value_name(what)
                    .require_equals(true)
                    .default_missing_value("")
                    .value_parser(parser),
                Value::Required(what) => arg.value_name(what).require_equals(true).value_parser(parser),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Transforms::augment_args(command)
    }
}

impl clap::FromArgMatches for Transforms {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Transforms, clap::Error> {
        let mut found: Vec<(usize, Transform)> = vec![];
        for flag in FLAGS {
            let transforms = matches.get_many::<Transform>(flag.name).unwrap_or_default().cloned();
            found.extend(matches.indices_of(flag.name).unwrap_or_default().zip(transforms));
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Transforms(found.into_iter().map(|(_, transform)| transform).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Transforms::from_arg_matches(matches)?;
        Ok(())
    }
}
