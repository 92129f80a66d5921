//! `#[derive(Tree)]`: structs and enums whose fields are arrays, other trees, or static values.

#![forbid(unsafe_code)]

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Index, Result, parse_macro_input, parse_quote};

/// Implements `rjax::Tree`. Fields are children in the order of their declaration; a field marked `#[tree(static)]` is no
/// child but part of the structure (its type needs `Clone` and `Debug`; two values are the same where their `Debug` text is).
#[proc_macro_derive(Tree, attributes(tree))]
pub fn derive_tree(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

/// One struct, or one variant of an enum.
struct Shape {
    /// `Layer` or `Model::Dense`.
    constructor: TokenStream,
    /// What the structure calls it.
    kind: String,
    fields: Vec<Field>,
}

struct Field {
    /// The name to bind the field to in patterns.
    binding: syn::Ident,
    /// The field's name or position in patterns.
    member: TokenStream,
    label: TokenStream,
    fixed: bool,
}

fn expand(mut input: DeriveInput) -> Result<TokenStream> {
    for parameter in input.generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::rjax::tree::Tree));
    }
    let name = &input.ident;
    let shapes = match &input.data {
        Data::Struct(data) => vec![shape(quote!(#name), name.to_string(), &data.fields)?],
        Data::Enum(data) => data
            .variants
            .iter()
            .map(|variant| {
                let ident = &variant.ident;
                shape(quote!(#name::#ident), format!("{name}::{ident}"), &variant.fields)
            })
            .collect::<Result<_>>()?,
        Data::Union(_) => return Err(Error::new_spanned(name, "Tree cannot be derived for a union")),
    };
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let visit = shapes.iter().map(visit_arm);
    let rebuild = shapes.iter().map(rebuild_arm);
    // An empty enum has no values; matching on the place itself covers them all.
    let scrutinee = if shapes.is_empty() { quote!(*self) } else { quote!(self) };
    Ok(quote! {
        impl #impl_generics ::rjax::tree::Tree for #name #type_generics #where_clause {
            type Jacobian<__T: ::rjax::tree::Tree> = ::rjax::tree::Blocks<__T>;

            fn visit<'__a>(&'__a self, __visitor: &mut dyn ::rjax::tree::Visitor<'__a>) {
                match #scrutinee { #(#visit)* }
            }

            fn rebuild(&self, __leaves: &mut dyn ::std::iter::Iterator<Item = ::rjax::Array>) -> Self {
                let _ = &__leaves;
                match #scrutinee { #(#rebuild)* }
            }

            fn jacobian<__T: ::rjax::tree::Tree>(
                &self,
                __blocks: &mut dyn ::std::iter::Iterator<Item = __T>,
            ) -> Self::Jacobian<__T> {
                ::rjax::tree::Blocks(__blocks.take(::rjax::tree::leaves(self).len()).collect())
            }
        }
    })
}

fn shape(constructor: TokenStream, kind: String, fields: &Fields) -> Result<Shape> {
    let fields = fields
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let (member, label) = match &field.ident {
                Some(ident) => {
                    let text = ident.to_string();
                    (quote!(#ident), quote!(::rjax::tree::Label::Field(#text)))
                }
                None => {
                    let index = Index::from(i);
                    (quote!(#index), quote!(::rjax::tree::Label::Index(#i)))
                }
            };
            Ok(Field { binding: format_ident!("__field{i}"), member, label, fixed: is_static(field)? })
        })
        .collect::<Result<_>>()?;
    Ok(Shape { constructor, kind, fields })
}

/// Whether the field carries `#[tree(static)]`.
fn is_static(field: &syn::Field) -> Result<bool> {
    let mut found = false;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("tree")) {
        // `static` is a keyword, so the argument is read as an identifier of any kind.
        attribute.parse_args_with(|input: syn::parse::ParseStream| {
            let word = <syn::Ident as syn::ext::IdentExt>::parse_any(input)?;
            if word == "static" { Ok(()) } else { Err(Error::new(word.span(), "expected `#[tree(static)]`")) }
        })?;
        found = true;
    }
    Ok(found)
}

/// `Layer { w: __field0, b: __field1 }`; braces work for tuple structs and unit structs too.
fn pattern(shape: &Shape) -> TokenStream {
    let Shape { constructor, fields, .. } = shape;
    let parts = fields.iter().map(|Field { member, binding, .. }| quote!(#member: #binding));
    quote!(#constructor { #(#parts),* })
}

fn visit_arm(shape: &Shape) -> TokenStream {
    let (pattern, kind) = (pattern(shape), &shape.kind);
    let children = shape.fields.iter().filter(|f| !f.fixed).count();
    let steps = shape.fields.iter().map(|Field { binding, label, fixed, .. }| {
        if *fixed {
            quote!(__visitor.fixed(#binding);)
        } else {
            quote! {
                __visitor.child(#label);
                ::rjax::tree::Tree::visit(#binding, __visitor);
            }
        }
    });
    quote! {
        #pattern => {
            __visitor.open(#kind, #children);
            #(#steps)*
            __visitor.close();
        }
    }
}

fn rebuild_arm(shape: &Shape) -> TokenStream {
    let (pattern, constructor) = (pattern(shape), &shape.constructor);
    let parts = shape.fields.iter().map(|Field { member, binding, fixed, .. }| {
        if *fixed {
            quote!(#member: ::std::clone::Clone::clone(#binding))
        } else {
            quote!(#member: ::rjax::tree::Tree::rebuild(#binding, __leaves))
        }
    });
    quote!(#pattern => #constructor { #(#parts),* },)
}
