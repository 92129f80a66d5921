//! Attributes: those of the dialect, each operation's properties among them, and those that only the builtin dialect has.

use rjax_ir::{DType, Result, Scalar, Tensor};

use super::super::properties::{self, Kind};
use super::{BUILTIN, Encoder, Writer, is_written, unsupported};
use crate::mlir::{Attribute, Attributes, ElementType, Operation, Type};

impl Writer<'_> {
    // Those of the dialect.

    pub(super) fn vhlo_string(&mut self, text: &str) -> Result<u64> {
        let text = self.string(text);
        self.vhlo(|_, e| {
            e.varint(14);
            e.varint(text);
            Ok(())
        })
    }

    pub(super) fn vhlo_code(&mut self, attribute: u64, value: u64) -> Result<u64> {
        self.vhlo(|_, e| {
            e.varint(attribute);
            e.varint(value);
            Ok(())
        })
    }

    pub(super) fn vhlo_integer(&mut self, value: i64, dtype: DType) -> Result<u64> {
        let ty = self.dtype(dtype)?;
        let [bits, _] = Scalar::from_i64(dtype, value).bits();
        self.vhlo(|_, e| {
            e.varint(9);
            e.varint(ty);
            e.bits(bits, dtype.bits());
            Ok(())
        })
    }

    pub(super) fn vhlo_float(&mut self, value: f64, dtype: DType) -> Result<u64> {
        let ty = self.dtype(dtype)?;
        let [bits, _] = Scalar::from_f64(dtype, value).bits();
        self.vhlo(|_, e| {
            e.varint(8);
            e.varint(ty);
            e.bits(bits, dtype.bits());
            Ok(())
        })
    }

    pub(super) fn vhlo_array(&mut self, items: Vec<u64>) -> Result<u64> {
        self.vhlo(|_, e| {
            e.varint(1);
            e.varint(items.len() as u64);
            items.into_iter().for_each(|item| e.varint(item));
            Ok(())
        })
    }

    pub(super) fn vhlo_dictionary(&mut self, entries: &Attributes) -> Result<u64> {
        let mut numbers = vec![];
        for (name, value) in entries.iter().filter(|(_, value)| is_written(value)) {
            numbers.push((self.vhlo_string(name)?, self.any(name, value)?));
        }
        self.vhlo(|_, e| {
            e.varint(6);
            e.varint(numbers.len() as u64);
            for (name, value) in numbers {
                e.varint(name);
                e.varint(value);
            }
            Ok(())
        })
    }

    /// A constant: its type, and its bytes or those of the one element that it repeats.
    pub(super) fn vhlo_tensor(&mut self, tensor: &Tensor, element: &ElementType) -> Result<u64> {
        let shape = tensor.shape().iter().map(|&extent| Some(extent)).collect();
        let ty = self.ty(&Type::Tensor { shape, element: element.clone() })?;
        let blob = blob(tensor);
        self.vhlo(|_, e| {
            e.varint(15);
            e.varint(ty);
            e.varint(blob.len() as u64);
            e.raw(&blob);
            Ok(())
        })
    }

    pub(super) fn integers(&mut self, values: &[i64], rows: bool) -> Result<u64> {
        let count = values.len();
        let shape = if rows { vec![count / 2, 2] } else { vec![count] };
        self.vhlo_tensor(&Tensor::from_vec(shape, values.to_vec()), &ElementType::DType(DType::I64))
    }

    /// An attribute that is in a dictionary or discardable, by what it looks like.
    pub(super) fn any(&mut self, name: &str, value: &Attribute) -> Result<u64> {
        match value {
            Attribute::Unit => self.vhlo_code(2, 1),
            Attribute::Bool(value) => self.vhlo_code(2, *value as u64),
            Attribute::Int(value) => self.vhlo_integer(*value, integer_type(name)),
            Attribute::Float(value) => self.vhlo_float(*value, DType::F64),
            Attribute::String(text) => self.vhlo_string(text),
            Attribute::Array(items) => {
                let items = items.iter().filter(|item| is_written(item)).map(|item| self.any(name, item));
                let items = items.collect::<Result<_>>()?;
                self.vhlo_array(items)
            }
            Attribute::Dict(entries) => self.vhlo_dictionary(entries),
            Attribute::Dense(tensor) => self.vhlo_tensor(tensor, &ElementType::DType(tensor.dtype())),
            Attribute::DenseOther(ty) => Err(unsupported(format!("constants of type {ty} cannot be written"))),
            Attribute::Type(ty) => {
                let ty = self.ty(ty)?;
                self.vhlo_code(17, ty)
            }
            Attribute::Opaque => Err(unsupported(format!("attribute {name} cannot be written"))),
        }
    }

    /// An attribute of an operation, as its kind says, or its default.
    pub(super) fn property(&mut self, operation: &Operation, name: &str) -> Result<u64> {
        let value = operation.attributes.get(name).filter(|value| !matches!(value, Attribute::Opaque));
        let missing = || unsupported(format!("{}: attribute {name} is missing", operation.name));
        match properties::kind(name) {
            Kind::Integers => match value {
                Some(_) => self.integers(&operation.ints(name)?, false),
                None => {
                    let one = matches!(
                        name,
                        "window_strides"
                            | "lhs_dilation"
                            | "rhs_dilation"
                            | "base_dilations"
                            | "window_dilations"
                            | "window_dimensions"
                    );
                    let count = if one { self.window_rank(operation) } else { 0 };
                    self.integers(&vec![1; count], false)
                }
            },
            Kind::Rows => match value {
                Some(Attribute::Dense(tensor)) if tensor.shape().rank() == 2 => {
                    self.vhlo_tensor(tensor, &ElementType::DType(DType::I64))
                }
                Some(_) => self.integers(&operation.ints(name)?, true),
                None => {
                    let zeros = if name == "padding" { 2 * self.window_rank(operation) } else { 0 };
                    self.integers(&vec![0; zeros], true)
                }
            },
            Kind::Booleans => {
                let flags = match value {
                    Some(_) => operation.ints(name)?.into_iter().map(|flag| flag != 0).collect(),
                    None => vec![false; self.window_rank(operation)],
                };
                self.vhlo_tensor(&Tensor::from_vec([flags.len()], flags), &ElementType::DType(DType::Bool))
            }
            kind @ (Kind::Int64 | Kind::Int32) => {
                let value = match (value, name, operation.name.as_str()) {
                    (Some(_), _, _) => operation.int(name)?,
                    (None, "dimension", "stablehlo.sort") => -1,
                    (None, "channel_id" | "channel_type" | "index_vector_dim" | "batch_dims" | "version", _) => 0,
                    (None, "batch_group_count" | "feature_group_count", _) => 1,
                    (None, _, _) => return Err(missing()),
                };
                self.vhlo_integer(value, if kind == Kind::Int64 { DType::I64 } else { DType::I32 })
            }
            Kind::Boolean => {
                let value = operation.flag(name)?;
                self.vhlo_code(2, value as u64)
            }
            Kind::Float => {
                let value = operation.float_or(name, f64::NAN)?;
                self.vhlo_float(value, DType::F32)
            }
            Kind::String => {
                let text = match value {
                    None if name.ends_with("_config") => "",
                    _ => operation.string(name)?,
                };
                self.vhlo_string(text)
            }
            Kind::Config => match value {
                Some(Attribute::Dict(entries)) => self.vhlo_dictionary(entries),
                Some(_) => {
                    let text = operation.string(name)?;
                    self.vhlo_string(text)
                }
                None => self.vhlo_string(""),
            },
            Kind::Dictionary => match value {
                Some(Attribute::Dict(entries)) => self.vhlo_dictionary(entries),
                _ => self.vhlo_dictionary(&Attributes::new()),
            },
            Kind::Enumerant(_, values) => {
                let code = match (value, name) {
                    (Some(Attribute::Int(code)), _) => *code as usize,
                    (Some(_), _) => {
                        let found = operation.string(name)?;
                        let place = values.iter().position(|value| *value == found);
                        place.ok_or_else(|| unsupported(format!("{}: {name} {found} is not known", operation.name)))?
                    }
                    (None, "compare_type" | "rng_algorithm") => 0,
                    (None, "api_version") => 1,
                    (None, _) => return Err(missing()),
                };
                self.vhlo_code(enumerant_code(name), code as u64)
            }
            Kind::Precisions => {
                let levels = match value {
                    Some(Attribute::Array(items)) => items.iter().map(precision).collect(),
                    _ => vec![0; 2],
                };
                let levels = levels.into_iter().map(|level| self.vhlo_code(11, level)).collect::<Result<_>>()?;
                self.vhlo_array(levels)
            }
            Kind::Constant => {
                let tensor = operation.dense(name)?;
                let element = operation.results.first().map(|&result| self.module.value_type(result));
                match element {
                    Some(Type::Tensor { element: ElementType::Index, .. }) if tensor.dtype() == DType::I64 => {
                        self.vhlo_tensor(tensor, &ElementType::Index)
                    }
                    _ => self.vhlo_tensor(tensor, &ElementType::DType(tensor.dtype())),
                }
            }
            Kind::Layouts => {
                let layouts = match value {
                    Some(Attribute::Array(items)) => items.clone(),
                    _ => vec![],
                };
                let index = |item: &Attribute| match item {
                    Attribute::Dense(tensor) => self.vhlo_tensor(tensor, &ElementType::Index),
                    _ => Err(unsupported(format!("{}: {name} is not a list of layouts", operation.name))),
                };
                let layouts = layouts.iter().map(index).collect::<Result<_>>()?;
                self.vhlo_array(layouts)
            }
            Kind::Aliases => {
                let aliases = match value {
                    Some(Attribute::Array(items)) => items.clone(),
                    _ => vec![],
                };
                let aliases = aliases.iter().map(|alias| self.alias(alias)).collect::<Result<_>>()?;
                self.vhlo_array(aliases)
            }
            Kind::List => match value {
                Some(value @ Attribute::Array(_)) => self.any(name, value),
                _ => self.vhlo_array(vec![]),
            },
            Kind::Optional => match value {
                Some(value) => self.any(name, value),
                None => {
                    let none = self.ty(&Type::Other("none".into()))?;
                    self.vhlo_code(17, none)
                }
            },
            Kind::Accuracy => {
                let mode = self.vhlo_code(19, 0)?;
                self.vhlo(|_, e| {
                    e.varint(20);
                    e.bits(0, 64);
                    e.bits(0, 64);
                    e.signed_varint(0);
                    e.varint(mode);
                    Ok(())
                })
            }
        }
    }

    pub(super) fn alias(&mut self, alias: &Attribute) -> Result<u64> {
        let malformed = || unsupported("an alias of an output cannot be written");
        let Attribute::Dict(fields) = alias else { return Err(malformed()) };
        let list = |name: &str| match fields.get(name) {
            Some(Attribute::Array(items)) => {
                let int = |item: &Attribute| if let Attribute::Int(i) = item { Ok(*i) } else { Err(malformed()) };
                items.iter().map(int).collect::<Result<Vec<i64>>>()
            }
            _ => Err(malformed()),
        };
        let (outputs, within) = (list("output_tuple_indices")?, list("operand_tuple_indices")?);
        let Some(Attribute::Int(operand)) = fields.get("operand_index") else { return Err(malformed()) };
        self.vhlo(|_, e| {
            e.varint(10);
            e.signed_list(&outputs);
            e.signed_varint(*operand);
            e.signed_list(&within);
            Ok(())
        })
    }

    /// The number of axes that an operation's window has.
    pub(super) fn window_rank(&self, operation: &Operation) -> usize {
        for name in ["window_dimensions", "input_spatial_dimensions", "kernel_spatial_dimensions"] {
            if let Ok(axes) = operation.ints(name) {
                return axes.len();
            }
        }
        match operation.operands.first().map(|&operand| self.module.value_type(operand)) {
            Some(Type::Tensor { shape, .. }) => shape.len(),
            _ => 0,
        }
    }

    // Those of the builtin dialect.

    pub(super) fn unknown_location(&mut self) -> Result<u64> {
        self.builtin(|_, e| {
            e.varint(15);
            Ok(())
        })
    }

    /// The discardable attributes of an operation: a dictionary with names of the builtin dialect.
    pub(super) fn discardable(&mut self, attributes: &[(&String, &Attribute)], builtin: bool) -> Result<u64> {
        let mut entries = vec![];
        for (name, value) in attributes {
            let key = self.builtin_string(name)?;
            let value = if builtin { self.builtin_value(name, value)? } else { self.any(name, value)? };
            entries.push((key, value));
        }
        self.builtin(|_, e| {
            e.varint(1);
            e.varint(entries.len() as u64);
            for (name, value) in entries {
                e.varint(name);
                e.varint(value);
            }
            Ok(())
        })
    }

    pub(super) fn builtin_string(&mut self, text: &str) -> Result<u64> {
        let text = self.string(text);
        self.builtin(|_, e| {
            e.varint(2);
            e.varint(text);
            Ok(())
        })
    }

    /// An attribute of the module, which stays in the builtin dialect.
    pub(super) fn builtin_value(&mut self, name: &str, value: &Attribute) -> Result<u64> {
        match value {
            Attribute::Unit => self.builtin(|_, e| {
                e.varint(7);
                Ok(())
            }),
            Attribute::Bool(_) | Attribute::Int(_) => {
                let (width, value) = match value {
                    Attribute::Bool(value) => (1, *value as i64),
                    Attribute::Int(value) => (integer_type(name).bits(), *value),
                    _ => unreachable!("matched above"),
                };
                let mut ty = Encoder::default();
                ty.varint(0);
                ty.varint((width as u64) << 2);
                let ty = self.types.number((BUILTIN, ty.bytes));
                self.builtin(|_, e| {
                    e.varint(8);
                    e.varint(ty);
                    e.bits(if width == 32 { value as u32 as u64 } else { value as u64 }, width);
                    Ok(())
                })
            }
            Attribute::String(text) => self.builtin_string(text),
            _ => Err(unsupported(format!("module attribute {name} cannot be written"))),
        }
    }
}

/// The type of an integer attribute, which consumers insist on for a few names.
fn integer_type(name: &str) -> DType {
    match name {
        "tf.aliasing_output" | "mhlo.num_partitions" | "mhlo.num_replicas" => DType::I32,
        _ => DType::I64,
    }
}

fn precision(attribute: &Attribute) -> u64 {
    let Attribute::String(name) = attribute else { return 0 };
    properties::PRECISIONS.iter().position(|known| known == name).unwrap_or(0) as u64
}

fn enumerant_code(name: &str) -> u64 {
    match name {
        "comparison_direction" => 3,
        "compare_type" => 4,
        "api_version" => 5,
        "fft_type" => 7,
        "rng_algorithm" => 12,
        "rng_distribution" => 13,
        _ => 16,
    }
}

/// The bytes of a constant: those of one element where all are the same, packed bits for `i1`, little-endian otherwise.
fn blob(tensor: &Tensor) -> Vec<u8> {
    let dtype = tensor.dtype();
    let mut bytes = tensor.to_bytes();
    let size = dtype.size();
    let repeats = bytes.chunks_exact(size).skip(1).all(|element| *element == bytes[..size]);
    if dtype == DType::Bool {
        if repeats {
            return bytes.first().map(|&bit| if bit != 0 { 0xff } else { 0 }).into_iter().collect();
        }
        let pack = |bits: &[u8]| bits.iter().enumerate().map(|(i, &bit)| ((bit != 0) as u8) << i).sum();
        return bytes.chunks(8).map(pack).collect();
    }
    if repeats {
        bytes.truncate(size);
    }
    if cfg!(target_endian = "big") {
        bytes.chunks_mut(dtype.real().size()).for_each(<[u8]>::reverse);
    }
    bytes
}
