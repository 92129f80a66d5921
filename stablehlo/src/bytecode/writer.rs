//! The writer: operations first, which collects strings, types, attributes and properties; then the sections.
//!
//! Equal things are stored once and numbered in the order of their first use, so that a module has one encoding. Locations
//! are not written. Regions are never isolated but for functions, whose values are numbered from zero.

use std::collections::HashMap;
use std::hash::Hash;

use rjax_ir::{DType, Error, ErrorKind, Narrow, Result, Scalar, Tensor};

use super::encoder::Encoder;
use super::properties::{self, Kind};
use super::{MAGIC, Version};
use crate::mlir::{Attribute, Attributes, ElementType, Function, Module, Operation, Region, Type, Value};

/// The bytecode version that goes with every version of VHLO since 0.15.
const BYTECODE: u64 = 6;
/// The numbers of the two dialects.
const BUILTIN: usize = 0;
const VHLO: usize = 1;

/// Writes a module as a portable artifact for consumers of a version of VHLO or newer.
///
/// The same module gives the same bytes. Operations that the version does not have, dialects without a portable form and
/// constants whose values the reader did not keep are errors that name them.
pub fn write(module: &Module, version: Version) -> Result<Vec<u8>> {
    if version < Version::OLDEST || version > Version::NEWEST {
        let (oldest, newest) = (Version::OLDEST, Version::NEWEST);
        return Err(unsupported(format!("version {version} cannot be written; {oldest} to {newest} can")));
    }
    let mut writer = Writer::new(module, version);
    let ir = writer.module()?;
    Ok(writer.finish(&ir))
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, format!("bytecode: {}", message.into()))
}

/// Things with numbers, each once.
struct Numbered<T> {
    items: Vec<T>,
    numbers: HashMap<T, u64>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Numbered<T> {
        Numbered { items: vec![], numbers: HashMap::new() }
    }

    fn number(&mut self, item: T) -> u64 {
        let next = self.items.len() as u64;
        *self.numbers.entry(item.clone()).or_insert_with(|| {
            self.items.push(item);
            next
        })
    }
}

struct Writer<'a> {
    module: &'a Module,
    version: Version,
    strings: Numbered<String>,
    /// Operation names with their dialects.
    names: Numbered<(usize, String)>,
    /// Encodings with their dialects.
    types: Numbered<(usize, Vec<u8>)>,
    attributes: Numbered<(usize, Vec<u8>)>,
    properties: Numbered<Vec<u8>>,
}

/// The number of each value that has been defined.
type Numbers = HashMap<Value, u64>;

impl<'a> Writer<'a> {
    fn new(module: &'a Module, version: Version) -> Writer<'a> {
        Writer {
            module,
            version,
            strings: Numbered::new(),
            names: Numbered::new(),
            types: Numbered::new(),
            attributes: Numbered::new(),
            properties: Numbered::new(),
        }
    }

    fn finish(mut self, ir: &[u8]) -> Vec<u8> {
        let dialects = ["builtin", "vhlo"].map(|name| self.strings.number(name.to_string()));
        let mut dialect = Encoder::default();
        dialect.varint(dialects.len() as u64);
        dialects.iter().for_each(|&name| dialect.flagged_varint(name, false));
        dialect.varint(self.names.items.len() as u64);
        for (number, group) in groups(&self.names.items) {
            dialect.varint(number as u64);
            dialect.varint(group.len() as u64);
            for (_, name) in group {
                let name = self.strings.number(name.clone());
                dialect.flagged_varint(name, true);
            }
        }
        let (mut offsets, mut data) = (Encoder::default(), Encoder::default());
        offsets.varint(self.attributes.items.len() as u64);
        offsets.varint(self.types.items.len() as u64);
        for entries in [&self.attributes.items, &self.types.items] {
            for (number, group) in groups(entries) {
                offsets.varint(number as u64);
                offsets.varint(group.len() as u64);
                for (_, encoded) in group {
                    offsets.flagged_varint(encoded.len() as u64, true);
                    data.raw(encoded);
                }
            }
        }
        let mut strings = Encoder::default();
        strings.varint(self.strings.items.len() as u64);
        self.strings.items.iter().rev().for_each(|text| strings.varint(text.len() as u64 + 1));
        for text in &self.strings.items {
            strings.raw(text.as_bytes());
            strings.byte(0);
        }
        let mut properties = Encoder::default();
        properties.varint(self.properties.items.len() as u64);
        for entry in &self.properties.items {
            properties.varint(entry.len() as u64);
            properties.raw(entry);
        }
        let mut file = Encoder::default();
        file.raw(&MAGIC);
        file.varint(BYTECODE);
        file.raw(format!("StableHLO_v{}\0", self.version).as_bytes());
        for (id, section) in [(1, &dialect), (3, &offsets), (2, &data)] {
            file.section(id, &section.bytes);
        }
        file.section(4, ir);
        // No resources: their offsets are a count of zero, and they are nothing.
        file.section(6, &[1]);
        file.section(5, &[]);
        file.section(0, &strings.bytes);
        file.section(8, &properties.bytes);
        file.bytes
    }

    fn string(&mut self, text: &str) -> u64 {
        self.strings.number(text.to_string())
    }

    fn builtin(&mut self, write: impl FnOnce(&mut Self, &mut Encoder) -> Result<()>) -> Result<u64> {
        let mut encoder = Encoder::default();
        write(self, &mut encoder)?;
        Ok(self.attributes.number((BUILTIN, encoder.bytes)))
    }

    fn vhlo(&mut self, write: impl FnOnce(&mut Self, &mut Encoder) -> Result<()>) -> Result<u64> {
        let mut encoder = Encoder::default();
        write(self, &mut encoder)?;
        Ok(self.attributes.number((VHLO, encoder.bytes)))
    }

    // Types.

    fn vhlo_type(&mut self, write: impl FnOnce(&mut Self, &mut Encoder) -> Result<()>) -> Result<u64> {
        let mut encoder = Encoder::default();
        write(self, &mut encoder)?;
        Ok(self.types.number((VHLO, encoder.bytes)))
    }

    fn element_type(&mut self, element: &ElementType) -> Result<u64> {
        let complex = match element {
            ElementType::DType(DType::C64) => Some(DType::F32),
            ElementType::DType(DType::C128) => Some(DType::F64),
            _ => None,
        };
        if let Some(part) = complex {
            let part = self.element_type(&ElementType::DType(part))?;
            return self.vhlo_type(|_, e| {
                e.varint(1);
                e.varint(part);
                Ok(())
            });
        }
        let code = match element {
            ElementType::DType(dtype) => dtype_code(*dtype),
            ElementType::Index => 9,
            ElementType::Other(name) => {
                let known = OTHER_ELEMENTS.iter().find(|(known, _)| known == name);
                known.ok_or_else(|| unsupported(format!("element type {name} cannot be written")))?.1
            }
        };
        self.vhlo_type(|_, e| {
            e.varint(code);
            Ok(())
        })
    }

    fn ty(&mut self, ty: &Type) -> Result<u64> {
        match ty {
            Type::Tensor { shape, element } => {
                let extents = shape.iter().map(|e| e.map_or(Ok(i64::MIN), i64::try_from));
                let extents: Vec<i64> =
                    extents.collect::<Result<_, _>>().map_err(|_| unsupported(format!("{ty} is too large")))?;
                let element = self.element_type(element)?;
                self.vhlo_type(|_, e| {
                    e.varint(20);
                    e.signed_list(&extents);
                    e.varint(element);
                    Ok(())
                })
            }
            Type::Token => self.vhlo_type(|_, e| {
                e.varint(22);
                Ok(())
            }),
            Type::Tuple(types) => self.vhlo_type(|w, e| {
                e.varint(23);
                w.type_list(types, e)
            }),
            Type::Function(inputs, outputs) => self.vhlo_type(|w, e| {
                e.varint(8);
                w.type_list(inputs, e)?;
                w.type_list(outputs, e)
            }),
            Type::Other(name) if name == "none" => self.vhlo_type(|_, e| {
                e.varint(33);
                Ok(())
            }),
            Type::Other(name) => Err(unsupported(format!("type {name} cannot be written"))),
        }
    }

    fn type_list(&mut self, types: &[Type], e: &mut Encoder) -> Result<()> {
        let numbers = types.iter().map(|ty| self.ty(ty)).collect::<Result<Vec<_>>>()?;
        e.varint(numbers.len() as u64);
        numbers.into_iter().for_each(|number| e.varint(number));
        Ok(())
    }

    fn dtype(&mut self, dtype: DType) -> Result<u64> {
        self.element_type(&ElementType::DType(dtype))
    }

    // Attributes of the dialect.

    fn vhlo_string(&mut self, text: &str) -> Result<u64> {
        let text = self.string(text);
        self.vhlo(|_, e| {
            e.varint(14);
            e.varint(text);
            Ok(())
        })
    }

    fn vhlo_code(&mut self, attribute: u64, value: u64) -> Result<u64> {
        self.vhlo(|_, e| {
            e.varint(attribute);
            e.varint(value);
            Ok(())
        })
    }

    fn vhlo_integer(&mut self, value: i64, dtype: DType) -> Result<u64> {
        let ty = self.dtype(dtype)?;
        let [bits, _] = Scalar::from_i64(dtype, value).bits();
        self.vhlo(|_, e| {
            e.varint(9);
            e.varint(ty);
            e.bits(bits, dtype.bits());
            Ok(())
        })
    }

    fn vhlo_float(&mut self, value: f64, dtype: DType) -> Result<u64> {
        let ty = self.dtype(dtype)?;
        let [bits, _] = Scalar::from_f64(dtype, value).bits();
        self.vhlo(|_, e| {
            e.varint(8);
            e.varint(ty);
            e.bits(bits, dtype.bits());
            Ok(())
        })
    }

    fn vhlo_array(&mut self, items: Vec<u64>) -> Result<u64> {
        self.vhlo(|_, e| {
            e.varint(1);
            e.varint(items.len() as u64);
            items.into_iter().for_each(|item| e.varint(item));
            Ok(())
        })
    }

    fn vhlo_dictionary(&mut self, entries: &Attributes) -> Result<u64> {
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
    fn vhlo_tensor(&mut self, tensor: &Tensor, element: &ElementType) -> Result<u64> {
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

    fn integers(&mut self, values: &[i64], rows: bool) -> Result<u64> {
        let count = values.len();
        let shape = if rows { vec![count / 2, 2] } else { vec![count] };
        self.vhlo_tensor(&Tensor::from_vec(shape, values.to_vec()), &ElementType::DType(DType::I64))
    }

    /// An attribute that is in a dictionary or discardable, by what it looks like.
    fn any(&mut self, name: &str, value: &Attribute) -> Result<u64> {
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
    fn property(&mut self, operation: &Operation, name: &str) -> Result<u64> {
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

    fn alias(&mut self, alias: &Attribute) -> Result<u64> {
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
    fn window_rank(&self, operation: &Operation) -> usize {
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

    // Operations.

    fn unknown_location(&mut self) -> Result<u64> {
        self.builtin(|_, e| {
            e.varint(15);
            Ok(())
        })
    }

    /// The discardable attributes of an operation: a dictionary with names of the builtin dialect.
    fn discardable(&mut self, attributes: &[(&String, &Attribute)], builtin: bool) -> Result<u64> {
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

    fn builtin_string(&mut self, text: &str) -> Result<u64> {
        let text = self.string(text);
        self.builtin(|_, e| {
            e.varint(2);
            e.varint(text);
            Ok(())
        })
    }

    /// An attribute of the module, which stays in the builtin dialect.
    fn builtin_value(&mut self, name: &str, value: &Attribute) -> Result<u64> {
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

    fn module(&mut self) -> Result<Vec<u8>> {
        let module = self.module;
        let name = self.names.number((BUILTIN, "module".to_string()));
        let location = self.unknown_location()?;
        // No name and no visibility: two optional attributes that are not there.
        let properties = self.properties.number(vec![1, 1]);
        let is_simple = |value: &Attribute| {
            matches!(value, Attribute::Bool(_) | Attribute::Int(_) | Attribute::String(_) | Attribute::Unit)
        };
        let attributes: Vec<_> = module.attributes.iter().filter(|(_, value)| is_simple(value)).collect();
        let mut e = Encoder::default();
        e.flagged_varint(1, false);
        e.varint(name);
        e.byte(if attributes.is_empty() { 0x50 } else { 0x51 });
        e.varint(location);
        if !attributes.is_empty() {
            let attributes = self.discardable(&attributes, true)?;
            e.varint(attributes);
        }
        e.varint(properties);
        e.flagged_varint(1, true);
        let mut body = Encoder::default();
        body.varint(1);
        body.varint(0);
        body.flagged_varint(module.functions.len() as u64, false);
        for function in &module.functions {
            self.function(function, &mut body)?;
        }
        e.section(4, &body.bytes);
        Ok(e.bytes)
    }

    fn function(&mut self, function: &Function, e: &mut Encoder) -> Result<()> {
        let name = self.names.number((VHLO, "func_v1".to_string()));
        let location = self.unknown_location()?;
        let inputs = function.body.arguments.iter().map(|&v| self.module.value_type(v).clone()).collect();
        let ty = self.ty(&Type::Function(inputs, function.results.clone()))?;
        let mut encoded = Encoder::default();
        let dictionaries = |w: &mut Self, attributes: &[Attributes]| {
            if attributes.iter().all(|entries| !entries.values().any(is_written)) {
                return w.vhlo_array(vec![]);
            }
            let entries = attributes.iter().map(|entries| w.vhlo_dictionary(entries)).collect::<Result<_>>()?;
            w.vhlo_array(entries)
        };
        let attributes = [
            dictionaries(self, &function.argument_attributes)?,
            self.vhlo_code(17, ty)?,
            dictionaries(self, &function.result_attributes)?,
            self.vhlo_string(&function.name)?,
            self.vhlo_string(if function.public { "public" } else { "private" })?,
        ];
        attributes.into_iter().for_each(|attribute| encoded.varint(attribute));
        let properties = self.properties.number(encoded.bytes);
        e.varint(name);
        e.byte(0x50);
        e.varint(location);
        e.varint(properties);
        e.flagged_varint(1, true);
        let mut body = Encoder::default();
        self.region(&function.body, 0, &mut Numbers::new(), &mut body)?;
        e.section(4, &body.bytes);
        Ok(())
    }

    /// A region whose own values are numbered from `base`; those of the regions in it come after them.
    fn region(&mut self, region: &Region, base: u64, numbers: &mut Numbers, e: &mut Encoder) -> Result<()> {
        if region.operations.is_empty() && region.arguments.is_empty() {
            e.varint(0);
            return Ok(());
        }
        let results = region.operations.iter().flat_map(|operation| &operation.results);
        let mut end = base;
        for &value in region.arguments.iter().chain(results) {
            numbers.insert(value, end);
            end += 1;
        }
        e.varint(1);
        e.varint(end - base);
        e.flagged_varint(region.operations.len() as u64, !region.arguments.is_empty());
        if !region.arguments.is_empty() {
            e.varint(region.arguments.len() as u64);
            for &argument in &region.arguments {
                let ty = self.module.value_type(argument).clone();
                let ty = self.ty(&ty)?;
                e.flagged_varint(ty, false);
            }
            // No orders of uses.
            e.byte(0);
        }
        for operation in &region.operations {
            self.operation(operation, end, numbers, e).map_err(|error| error.at(&operation.location))?;
        }
        Ok(())
    }

    fn operation(&mut self, operation: &Operation, end: u64, numbers: &mut Numbers, e: &mut Encoder) -> Result<()> {
        let plain = match operation.name.as_str() {
            "func.call" => "call",
            name => name.strip_prefix("stablehlo.").ok_or_else(|| {
                unsupported(format!("{name} has no portable form; only operations of StableHLO have one"))
            })?,
        };
        let name = properties::versioned(plain, self.version)
            .ok_or_else(|| unsupported(format!("{} cannot be written for version {}", operation.name, self.version)))?;
        let property_names = properties::names(&name).unwrap_or_default();
        for left_out in ["operand_batching_dims", "input_batching_dims"] {
            if !property_names.contains(&left_out) && operation.ints(left_out).is_ok_and(|dims| !dims.is_empty()) {
                let version = self.version;
                return Err(unsupported(format!("{}: version {version} has no {left_out}", operation.name)));
            }
        }
        let mut encoded = Encoder::default();
        for attribute in property_names {
            let attribute = self.property(operation, attribute)?;
            encoded.varint(attribute);
        }
        let is_discardable = |entry: &(&String, &Attribute)| {
            !ALL_PROPERTIES.with(|known| known.contains(entry.0.as_str())) && is_written(entry.1)
                || entry.0 == "value" && plain == "custom_call"
        };
        let discardable: Vec<_> = operation.attributes.iter().filter(is_discardable).collect();
        let flags = [
            (1, !discardable.is_empty()),
            (2, !operation.results.is_empty()),
            (4, !operation.operands.is_empty()),
            (0x10, !operation.regions.is_empty()),
            (0x40, !property_names.is_empty()),
        ];
        let name = self.names.number((VHLO, name));
        let location = self.unknown_location()?;
        e.varint(name);
        e.byte(flags.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).sum());
        e.varint(location);
        if !discardable.is_empty() {
            let attributes = self.discardable(&discardable, false)?;
            e.varint(attributes);
        }
        if !property_names.is_empty() {
            let properties = self.properties.number(encoded.bytes);
            e.varint(properties);
        }
        if !operation.results.is_empty() {
            e.varint(operation.results.len() as u64);
            for &result in &operation.results {
                let ty = self.module.value_type(result).clone();
                let ty = self.ty(&ty)?;
                e.varint(ty);
            }
        }
        if !operation.operands.is_empty() {
            e.varint(operation.operands.len() as u64);
            for operand in &operation.operands {
                let number = numbers.get(operand);
                e.varint(*number.ok_or_else(|| unsupported(format!("{}: an operand is not defined", operation.name)))?);
            }
        }
        if !operation.regions.is_empty() {
            e.flagged_varint(operation.regions.len() as u64, false);
            for region in &operation.regions {
                self.region(region, end, numbers, e)?;
            }
        }
        Ok(())
    }
}

thread_local! {
    /// The names of all properties: attributes of operations under these names are theirs, others are discardable.
    static ALL_PROPERTIES: std::collections::HashSet<&'static str> = properties::all_names().collect();
}

/// Runs of entries of one dialect.
fn groups<T>(entries: &[(usize, T)]) -> impl Iterator<Item = (usize, &[(usize, T)])> {
    entries.chunk_by(|a, b| a.0 == b.0).map(|group| (group[0].0, group))
}

fn is_written(attribute: &Attribute) -> bool {
    !matches!(attribute, Attribute::Opaque)
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

fn dtype_code(dtype: DType) -> u64 {
    match dtype {
        DType::Bool => 0,
        DType::BF16 => 2,
        DType::F16 => 3,
        DType::F32 => 4,
        DType::F64 => 5,
        DType::I8 => 11,
        DType::I16 => 12,
        DType::I32 => 13,
        DType::I64 => 14,
        DType::U8 => 16,
        DType::U16 => 17,
        DType::U32 => 18,
        DType::U64 => 19,
        DType::C64 | DType::C128 => 1,
        DType::Narrow(narrow) => match narrow {
            Narrow::F8E4M3FN => 6,
            Narrow::F8E5M2 => 7,
            Narrow::I4 => 10,
            Narrow::U4 => 15,
            Narrow::F8E4M3FNUZ => 27,
            Narrow::F8E5M2FNUZ => 28,
            Narrow::F8E4M3B11FNUZ => 29,
            Narrow::I2 => 31,
            Narrow::U2 => 32,
            Narrow::F8E4M3 => 35,
            Narrow::F8E3M4 => 36,
            Narrow::F8E8M0FNU => 40,
        },
    }
}

/// The element types that programs do not have, by the names that the readers give them.
const OTHER_ELEMENTS: &[(&str, u64)] = &[("tf32", 34), ("f4E2M1FN", 37), ("f6E2M3FN", 38), ("f6E3M2FN", 39)];

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
