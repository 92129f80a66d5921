//! Cases of JAX's primitive test harness: a module, inputs, and JAX's results and derivatives.

use std::collections::HashMap;
use std::path::Path;

use rjax_ir::{Aval, DType, Narrow, Program, Tensor};

use super::case::Target;
use super::compare::{VALUES_ONLY, with_jax};
use super::json::Json;
use super::{Kind, Outcome};
use crate::npz::{self, Stored};
use crate::transform::{Transform, VmapAxes};
use crate::{Result, read};

/// How many copies `vmap` is asked for.
const LANES: usize = 3;

/// One line of the manifest.
pub struct Row {
    pub name: String,
    pub kinds: Vec<Kind>,
    group: String,
    /// The dtype of each array, by name.
    dtypes: HashMap<String, String>,
}

impl Row {
    pub fn parse(line: &str) -> Result<Row> {
        let json = Json::parse(line).ok_or("not a JSON object")?;
        let text = |key: &str| json.get(key).and_then(Json::text).ok_or(format!("there is no `{key}`"));
        let kinds = json.get("kinds").map(Json::items).unwrap_or_default();
        let dtypes = match json.get("dtypes") {
            Some(Json::Object(members)) => members.clone(),
            Some(Json::String(_) | Json::Array(_) | Json::Other(_)) | None => return Err("there is no `dtypes`".into()),
        };
        let dtype = |(name, dtype): (String, Json)| Some((name, dtype.text()?.to_string()));
        Ok(Row {
            name: text("name")?.to_string(),
            group: text("group")?.to_string(),
            kinds: kinds.iter().filter_map(|kind| parse_kind(kind.text()?)).collect(),
            dtypes: dtypes.into_iter().filter_map(dtype).collect(),
        })
    }

    /// The module and the arrays.
    pub fn load(&self, folder: &Path) -> Result<Loaded> {
        let file = |extension: &str| folder.join(format!("{}.{extension}", self.name)).to_string_lossy().into_owned();
        let program = read::program(&file("mlirbc"))?;
        let mut arrays = HashMap::new();
        for (name, stored) in npz::read_all(&file("npz"))? {
            let dtype = self.dtypes.get(&name).ok_or(format!("the manifest has no dtype for {name}"))?;
            arrays.insert(name.clone(), typed(&name, stored, dtype)?);
        }
        Ok(Loaded { program, arrays, group: self.group.clone() })
    }
}

fn parse_kind(name: &str) -> Option<Kind> {
    [Kind::Run, Kind::Vjp, Kind::Jvp, Kind::Vmap].into_iter().find(|kind| kind.name() == name)
}

/// numpy's name of a dtype.
fn numpy_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::I8 => "int8",
        DType::I16 => "int16",
        DType::I32 => "int32",
        DType::I64 => "int64",
        DType::U8 => "uint8",
        DType::U16 => "uint16",
        DType::U32 => "uint32",
        DType::U64 => "uint64",
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::F32 => "float32",
        DType::F64 => "float64",
        DType::C64 => "complex64",
        DType::C128 => "complex128",
        DType::Narrow(narrow) => match narrow {
            Narrow::I2 => "int2",
            Narrow::I4 => "int4",
            Narrow::U2 => "uint2",
            Narrow::U4 => "uint4",
            Narrow::F8E3M4 => "float8_e3m4",
            Narrow::F8E4M3 => "float8_e4m3",
            Narrow::F8E4M3B11FNUZ => "float8_e4m3b11fnuz",
            Narrow::F8E4M3FN => "float8_e4m3fn",
            Narrow::F8E4M3FNUZ => "float8_e4m3fnuz",
            Narrow::F8E5M2 => "float8_e5m2",
            Narrow::F8E5M2FNUZ => "float8_e5m2fnuz",
            Narrow::F8E8M0FNU => "float8_e8m0fnu",
        },
    }
}

fn typed(name: &str, stored: Stored, dtype: &str) -> Result<Tensor> {
    let known = DType::all().find(|&known| numpy_name(known) == dtype);
    let dtype = known.ok_or_else(|| format!("{name}: arrays of type {dtype} are not supported"))?;
    let shape = stored.shape().clone();
    stored.into_tensor(name, &Aval::new(dtype, shape))
}

/// A case ready to run.
pub struct Loaded {
    program: Program,
    arrays: HashMap<String, Tensor>,
    group: String,
}

impl Loaded {
    /// The arrays `prefix0`, `prefix1`, … in order; numbers may be missing.
    fn numbered(&self, prefix: &str) -> Vec<(&String, &Tensor)> {
        let number = |name: &str| name.strip_prefix(prefix)?.parse::<usize>().ok();
        let mut found: Vec<_> =
            self.arrays.iter().filter_map(|(name, array)| Some((number(name)?, (name, array)))).collect();
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Runs the program, transformed as the kind says, and compares.
    pub fn ask(&self, kind: Kind, target: &Target) -> Outcome {
        if kind == Kind::Vmap && self.program.invars.is_empty() {
            return Outcome::Skipped("there is no input to batch".to_string());
        }
        self.answer(kind, target).into()
    }

    fn answer(&self, kind: Kind, target: &Target) -> Result<()> {
        let inputs = self.numbered("in");
        let axes = || VmapAxes { inputs: vec![Some(0); inputs.len()], outputs: None };
        let (transform, more_inputs, more_outputs) = match kind {
            Kind::Run => (None, vec![], vec![]),
            Kind::Vjp => (Some(Transform::Vjp), self.numbered("ct"), self.numbered("vjp")),
            Kind::Jvp => (Some(Transform::Jvp), self.numbered("tan"), self.numbered("jvp")),
            Kind::Vmap => (Some(Transform::Vmap(axes())), vec![], vec![]),
        };
        let transformed;
        let program = match transform {
            Some(transform) => {
                transformed = transform.apply(&self.program, LANES)?;
                &transformed
            }
            None => &self.program,
        };
        let given = inputs.into_iter().chain(more_inputs);
        let given: Vec<Tensor> = given.map(|(_, x)| if kind == Kind::Vmap { copies(x) } else { x.clone() }).collect();
        let (found, wanted): (Vec<Aval>, _) = (given.iter().map(Tensor::aval).collect(), program.in_avals());
        if found != wanted {
            let list = |avals: &[Aval]| avals.iter().map(|aval| aval.to_string()).collect::<Vec<_>>().join(", ");
            return Err(format!("the program takes ({}), the case has ({})", list(&wanted), list(&found)));
        }
        let outputs = target.execute(program, &given)?;
        let want: Vec<_> = self.numbered("out").into_iter().chain(more_outputs).collect();
        if outputs.len() != want.len() {
            return Err(format!("{} outputs, expected {}", outputs.len(), want.len()));
        }
        let values_only = VALUES_ONLY.contains(&self.group.as_str());
        let lowest = want.iter().map(|(_, w)| w.shape().rank()).min().unwrap_or(0);
        for ((name, want), got) in want.into_iter().zip(&outputs) {
            if values_only && want.shape().rank() > lowest {
                continue;
            }
            let compare = |got: &Tensor| with_jax(got, want, kind, &self.group).map_err(|e| format!("{name}: {e}"));
            if kind == Kind::Vmap {
                lanes(got).iter().try_for_each(compare)?;
            } else {
                compare(got)?;
            }
        }
        Ok(())
    }
}

/// An array three times along a new first axis.
fn copies(x: &Tensor) -> Tensor {
    let aval = x.aval();
    let bytes = x.to_bytes().repeat(LANES);
    Tensor::from_bytes(&Aval::new(aval.dtype, aval.shape.with_axis(0, LANES)), &bytes)
}

/// The parts of an array along its first axis; the array itself where it has none.
fn lanes(x: &Tensor) -> Vec<Tensor> {
    let aval = x.aval();
    let Some(&count) = aval.shape.first() else { return vec![x.clone()] };
    let lane = Aval::new(aval.dtype, aval.shape.without(&[0]));
    let bytes = x.to_bytes();
    (0..count).map(|i| Tensor::from_bytes(&lane, &bytes[i * lane.bytes()..(i + 1) * lane.bytes()])).collect()
}
