//! Transformations in the order in which the command line gives them.

use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rjax_autodiff::{BatchAxis, vmap};
use rjax_ir::{Program, Shape};

use crate::Result;

/// One transformation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transform {
    /// `--vmap=0,_:1`.
    Vmap(VmapAxes),
}

/// The axes of `--vmap`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VmapAxes {
    /// For each input its batch axis.
    pub inputs: Vec<Option<usize>>,
    /// For each output its batch axis; 0 everywhere if not given.
    pub outputs: Option<Vec<Option<usize>>>,
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

impl Transform {
    /// The name without the dashes, which `--print-after` takes.
    pub fn name(&self) -> &'static str {
        match self {
            Transform::Vmap(_) => "vmap",
        }
    }

    /// The transformed program; `lanes` is the batch size of `vmap`.
    pub fn apply(&self, program: &Program, lanes: usize) -> Result<Program> {
        match self {
            Transform::Vmap(axes) => {
                let outputs = axes.outputs.clone().unwrap_or_else(|| vec![Some(0); program.outvars.len()]);
                vmap(program, &BatchAxis::new(lanes), &axes.inputs, &outputs)
            }
        }
        .map_err(|e| format!("--{}: {e}", self.name()))
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
            let Transform::Vmap(axes) = transform;
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
            *lanes = known.map_or(default, |(_, size)| size);
        }
        Ok(lanes)
    }
}

impl clap::Args for Transforms {
    fn augment_args(command: Command) -> Command {
        command.arg(
            Arg::new("vmap")
                .long("vmap")
                .value_name("A0,A1,…[:B0,…]")
                .help("Batch: input i at axis Ai (`_`: not batched), output j at axis Bj (default 0)")
                .require_equals(true)
                .action(ArgAction::Append)
                .value_parser(value_parser!(VmapAxes)),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Transforms::augment_args(command)
    }
}

impl clap::FromArgMatches for Transforms {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Transforms, clap::Error> {
        let mut found: Vec<(usize, Transform)> = vec![];
        let axes = matches.get_many::<VmapAxes>("vmap").unwrap_or_default().cloned().map(Transform::Vmap);
        found.extend(matches.indices_of("vmap").unwrap_or_default().zip(axes));
        found.sort_by_key(|(place, _)| *place);
        Ok(Transforms(found.into_iter().map(|(_, transform)| transform).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Transforms::from_arg_matches(matches)?;
        Ok(())
    }
}
