//! Operations in the short form that the readers of the text have for them.

use std::fmt::Write as _;

use rjax_ir::Result;

use super::value::{dense, list, quoted, symbol};
use super::{GROWS, ONE_TYPE, Printer, malformed};
use crate::mlir::{Attribute, Operation};

impl Printer<'_> {
    /// The operands and parameters of the pretty form; `None` for operations that are printed in the generic form.
    pub(super) fn pretty(&self, operation: &Operation, name: &str) -> Result<Option<Parameters>> {
        let operands = self.names(&operation.operands)?;
        let plain = |body: String, shown: &'static [&'static str]| Ok(Some(Parameters { body, shown: shown.to_vec() }));
        let ints = |attribute: &str| operation.ints(attribute).map(|values| list(&values));
        if !operation.regions.is_empty() {
            return Ok(None);
        }
        if ONE_TYPE.contains(&name) && name != "reverse" {
            return plain(operands, &["result_accuracy"]);
        }
        match name {
            "constant" => plain(dense(operation.dense("value")?), &["value"]),
            "convert"
            | "reshape"
            | "bitcast_convert"
            | "real"
            | "imag"
            | "is_finite"
            | "complex"
            | "select"
            | "return"
            | "dynamic_update_slice" => plain(operands, &[]),
            "compare" => {
                let kind = match operation.string("compare_type") {
                    Ok("NOTYPE") | Err(_) => String::new(),
                    Ok(kind) => format!(", {kind}"),
                };
                let direction = operation.string("comparison_direction")?;
                plain(format!("{direction}, {operands}{kind}"), &["comparison_direction", "compare_type"])
            }
            "iota" => plain(format!("dim = {}", operation.int("iota_dimension")?), &["iota_dimension"]),
            "broadcast_in_dim" => {
                plain(format!("{operands}, dims = {}", ints("broadcast_dimensions")?), &["broadcast_dimensions"])
            }
            "transpose" => plain(format!("{operands}, dims = {}", ints("permutation")?), &["permutation"]),
            "reverse" => plain(format!("{operands}, dims = {}", ints("dimensions")?), &["dimensions"]),
            "concatenate" => plain(format!("{operands}, dim = {}", operation.int("dimension")?), &["dimension"]),
            "dynamic_slice" => plain(format!("{operands}, sizes = {}", ints("slice_sizes")?), &["slice_sizes"]),
            "pad" => {
                let (low, high) = (ints("edge_padding_low")?, ints("edge_padding_high")?);
                let body = format!("{operands}, low = {low}, high = {high}, interior = {}", ints("interior_padding")?);
                plain(body, &["edge_padding_low", "edge_padding_high", "interior_padding"])
            }
            "slice" => {
                let starts = operation.ints("start_indices")?;
                let (limits, strides) = (operation.ints("limit_indices")?, operation.ints("strides")?);
                let range = |i: usize| match strides.get(i) {
                    Some(1) | None => format!("{}:{}", starts[i], limits[i]),
                    Some(stride) => format!("{}:{}:{stride}", starts[i], limits[i]),
                };
                if limits.len() != starts.len() {
                    return Err(malformed(operation, "the bounds differ in length"));
                }
                let ranges: Vec<String> = (0..starts.len()).map(range).collect();
                plain(format!("{operands} [{}]", ranges.join(", ")), &["start_indices", "limit_indices", "strides"])
            }
            "reduce_precision" => {
                let (e, m) = (operation.int("exponent_bits")?, operation.int("mantissa_bits")?);
                plain(format!("{operands}, format = e{e}m{m}"), &["exponent_bits", "mantissa_bits"])
            }
            "dot_general" => self.dot_general(operation, operands).map(Some),
            "convolution" => self.convolution(operation, operands).map(Some),
            "fft" => {
                let kind = operation.string("fft_type")?;
                plain(
                    format!("{operands}, type = {kind}, length = {}", ints("fft_length")?),
                    &["fft_type", "fft_length"],
                )
            }
            "rng_bit_generator" => {
                let algorithm = operation.string("rng_algorithm")?;
                plain(format!("{operands}, algorithm = {algorithm}"), &["rng_algorithm"])
            }
            "cholesky" => plain(format!("{operands}, lower = {}", operation.flag("lower")?), &["lower"]),
            "func.call" => plain(format!("{}({operands})", symbol(operation.string("callee")?)), &["callee"]),
            "custom_call" => {
                let target = symbol(operation.string("call_target_name")?);
                plain(format!("{target}({operands})"), &["call_target_name"])
            }
            "composite" => {
                let name = operation.string("name")?;
                plain(format!("{} {operands}", quoted(name)), &["name"])
            }
            _ => Ok(None),
        }
    }

    pub(super) fn dot_general(&self, operation: &Operation, operands: String) -> Result<Parameters> {
        let pair = |stem: &str| -> Result<(Vec<i64>, Vec<i64>)> {
            let side = |side: &str| operation.indices_or(&format!("{side}_{stem}"), Vec::new);
            let wide = |axes: Vec<usize>| axes.into_iter().map(|axis| axis as i64).collect();
            Ok((wide(side("lhs")?), wide(side("rhs")?)))
        };
        let mut body = operands;
        let (lhs, rhs) = pair("batching_dimensions")?;
        if !lhs.is_empty() || !rhs.is_empty() {
            write!(body, ", batching_dims = {} x {}", list(&lhs), list(&rhs)).expect(GROWS);
        }
        let (lhs, rhs) = pair("contracting_dimensions")?;
        write!(body, ", contracting_dims = {} x {}", list(&lhs), list(&rhs)).expect(GROWS);
        if let Some(Attribute::Array(items)) = operation.attributes.get("precision_config") {
            let level =
                |item: &Attribute| if let Attribute::String(name) = item { name.clone() } else { String::new() };
            let levels: Vec<String> = items.iter().map(level).filter(|name| !name.is_empty()).collect();
            if !levels.is_empty() {
                write!(body, ", precision = [{}]", levels.join(", ")).expect(GROWS);
            }
        }
        let shown = vec![
            "lhs_batching_dimensions",
            "rhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "rhs_contracting_dimensions",
            "precision_config",
            "accumulation_type",
            "allow_imprecise_accumulation",
            "lhs_component_count",
            "lhs_precision_type",
            "num_primitive_operations",
            "rhs_component_count",
            "rhs_precision_type",
        ];
        Ok(Parameters { body, shown })
    }

    pub(super) fn convolution(&self, operation: &Operation, operands: String) -> Result<Parameters> {
        let dimensions = convolution_dimensions(operation)?;
        let mut window = vec![];
        let spatial = operation.ints("input_spatial_dimensions")?.len();
        for (attribute, name) in
            [("window_strides", "stride"), ("lhs_dilation", "lhs_dilate"), ("rhs_dilation", "rhs_dilate")]
        {
            if operation.attributes.contains_key(attribute) {
                window.push(format!("{name} = {}", list(&operation.ints(attribute)?)));
            }
        }
        if operation.attributes.contains_key("padding") {
            let pairs = operation.pairs_or_zero("padding", spatial)?;
            let pairs: Vec<String> = pairs.iter().map(|(low, high)| format!("[{low}, {high}]")).collect();
            window.insert(window.len().min(1), format!("pad = [{}]", pairs.join(", ")));
        }
        if operation.attributes.contains_key("window_reversal") {
            let flags: Vec<&str> =
                operation.ints("window_reversal")?.iter().map(|&f| if f != 0 { "true" } else { "false" }).collect();
            window.push(format!("reverse = [{}]", flags.join(", ")));
        }
        let body = format!("({operands}) dim_numbers = {dimensions}, window = {{{}}}", window.join(", "));
        let shown = vec![
            "input_batch_dimension",
            "input_feature_dimension",
            "input_spatial_dimensions",
            "kernel_input_feature_dimension",
            "kernel_output_feature_dimension",
            "kernel_spatial_dimensions",
            "output_batch_dimension",
            "output_feature_dimension",
            "output_spatial_dimensions",
            "window_strides",
            "padding",
            "lhs_dilation",
            "rhs_dilation",
            "window_reversal",
        ];
        Ok(Parameters { body, shown })
    }

    /// `while(%iterArg = %x, …) : T, … cond {…} do {…}`.
    pub(super) fn while_loop(&mut self, operation: &Operation) -> Result<()> {
        let [cond, body] = &operation.regions[..] else { return Err(malformed(operation, "expected two regions")) };
        let operands: Vec<String> =
            operation.operands.iter().map(|&v| self.name(v).map(str::to_string)).collect::<Result<_>>()?;
        let mut bindings = vec![];
        for (i, operand) in operands.iter().enumerate() {
            let (Some(&first), Some(&second)) = (cond.arguments.get(i), body.arguments.get(i)) else {
                return Err(malformed(operation, "the regions take other values than are carried"));
            };
            let name = format!("%iterArg{}", self.next_argument);
            self.next_argument += 1;
            self.names.insert(first, name.clone());
            self.names.insert(second, name.clone());
            bindings.push(format!("{name} = {operand}"));
        }
        let own = self.next;
        let head = match operation.results.len() {
            0 => String::new(),
            1 => format!("%{own} = "),
            several => format!("%{own}:{several} = "),
        };
        self.next += 1;
        let (bindings, types) = (bindings.join(", "), self.types(&operation.operands));
        let colon = if types.is_empty() { "" } else { " : " };
        self.line(&format!("{head}stablehlo.while({bindings}){colon}{types}"));
        self.line("cond {");
        self.operations(cond, "stablehlo.return")?;
        self.line("} do {");
        self.operations(body, "stablehlo.return")?;
        self.line("}");
        for (i, &result) in operation.results.iter().enumerate() {
            let name = if operation.results.len() == 1 { format!("%{own}") } else { format!("%{own}#{i}") };
            self.names.insert(result, name);
        }
        Ok(())
    }
}

pub(super) struct Parameters {
    /// Operands and parameters as the pretty form has them.
    pub(super) body: String,
    /// The attributes among them.
    pub(super) shown: Vec<&'static str>,
}

/// `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`.
fn convolution_dimensions(operation: &Operation) -> Result<String> {
    let part = |first: (&str, &str), second: (&str, &str), spatial: &str| -> Result<String> {
        let axes = operation.indices(spatial)?;
        let mut entries = vec![String::new(); axes.len() + 2];
        let mut place = |axis: usize, name: String| match entries.get_mut(axis) {
            Some(entry) => {
                *entry = name;
                Ok(())
            }
            None => Err(malformed(operation, "an axis is out of range")),
        };
        place(operation.index(first.0)?, first.1.to_string())?;
        place(operation.index(second.0)?, second.1.to_string())?;
        for (number, &axis) in axes.iter().enumerate() {
            place(axis, number.to_string())?;
        }
        Ok(format!("[{}]", entries.join(", ")))
    };
    Ok(format!(
        "{}x{}->{}",
        part(("input_batch_dimension", "b"), ("input_feature_dimension", "f"), "input_spatial_dimensions")?,
        part(
            ("kernel_input_feature_dimension", "i"),
            ("kernel_output_feature_dimension", "o"),
            "kernel_spatial_dimensions"
        )?,
        part(("output_batch_dimension", "b"), ("output_feature_dimension", "f"), "output_spatial_dimensions")?,
    ))
}
