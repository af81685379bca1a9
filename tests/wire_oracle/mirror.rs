//! The same message in the oracle's types. Each struct is listed once, with all its
//! fields under Kafka's names, in the `*_apis` files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::{ErrorCode, Records};
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use crate::random::Source;

/// Unknown tagged fields to sprinkle over the oracle's structs, or none.
pub struct Tags<'s>(Option<&'s mut Source>);

impl<'s> Tags<'s> {
    pub fn none() -> Self {
        Tags(None)
    }

    pub fn some(source: &'s mut Source) -> Self {
        Tags(Some(source))
    }

    /// Above every tag that Kafka has defined.
    pub fn unknown(&mut self) -> BTreeMap<i32, Bytes> {
        let Some(source) = &mut self.0 else {
            return BTreeMap::new();
        };
        let count = source.below(3);
        let mut field = || (100 + source.below(100_000) as i32, source.bytes(200).into());
        (0..count).map(|_| field()).collect()
    }
}

/// Translates to the oracle's type.
pub trait Mirror<T> {
    fn mirror(&self, tags: &mut Tags<'_>) -> T;
}

/// Whether a message that was read is the one that was written, apart from fields
/// that the version lacks, which are back at their defaults.
pub trait Kept {
    fn kept(&self, written: &Self) -> bool;
}

/// Lists the fields of structs of ours for [`Random`](crate::random::Random), [`Kept`] and
/// [`Mirror`]; the oracle's structs have the same names. One that two of its modules
/// have is translated to the second by an entry that begins with `also`; one that is
/// in no flexible version begins with `plain`.
#[macro_export]
macro_rules! mirror {
    () => {};
    (also $module:ident::$name:ident$(<$life:lifetime>)? => $oracle:ident
     { $($field:ident),* } $($rest:tt)*) => {
        mirror! {
            @mirror $module::$name$(<$life>)? => $oracle { $($field),* } [unknown_tagged_fields]
        }
        mirror! { $($rest)* }
    };
    (plain $module:ident::$name:ident$(<$life:lifetime>)? => $oracle:ident
     { $($field:ident),* } $($rest:tt)*) => {
        mirror! { @values $module::$name$(<$life>)? { $($field),* } }
        mirror! { @mirror $module::$name$(<$life>)? => $oracle { $($field),* } [] }
        mirror! { $($rest)* }
    };
    ($module:ident::$name:ident$(<$life:lifetime>)? => $oracle:ident
     { $($field:ident),* } $($rest:tt)*) => {
        mirror! { @values $module::$name$(<$life>)? { $($field),* } }
        mirror! {
            also $module::$name$(<$life>)? => $oracle { $($field),* }
            $($rest)*
        }
    };
    (@values $module:ident::$name:ident$(<$life:lifetime>)? { $($field:ident),* }) => {
        impl$(<$life>)? $crate::random::Random
            for corelane::kafka::messages::$module::$name$(<$life>)?
        {
            fn random(source: &mut $crate::random::Source) -> Self {
                Self { $($field: $crate::random::Random::random(source)),* }
            }
        }
        impl$(<$life>)? $crate::mirror::Kept
            for corelane::kafka::messages::$module::$name$(<$life>)?
        {
            fn kept(&self, written: &Self) -> bool {
                let absent = Self::default();
                true $(&& (self.$field.kept(&written.$field) || self.$field == absent.$field))*
            }
        }
    };
    (@mirror $module:ident::$name:ident$(<$life:lifetime>)? => $oracle:ident
     { $($field:ident),* } [$($tagged:ident)?]) => {
        impl$(<$life>)? $crate::mirror::Mirror<kafka_protocol::messages::$oracle::$name>
            for corelane::kafka::messages::$module::$name$(<$life>)?
        {
            fn mirror(
                &self,
                tags: &mut $crate::mirror::Tags<'_>,
            ) -> kafka_protocol::messages::$oracle::$name {
                let mut theirs = kafka_protocol::messages::$oracle::$name::default();
                $(theirs.$field = self.$field.mirror(tags);)*
                $(theirs.$tagged = tags.unknown();)?
                theirs
            }
        }
    };
}

macro_rules! mirror_values {
    ($($ours:ty => $theirs:ty: |$value:ident| $mirrored:expr;)*) => {$(
        impl Mirror<$theirs> for $ours {
            fn mirror(&self, _: &mut Tags<'_>) -> $theirs {
                let $value = self;
                $mirrored
            }
        }
    )*};
}

mirror_values! {
    i8 => i8: |n| *n;
    i16 => i16: |n| *n;
    i32 => i32: |n| *n;
    i64 => i64: |n| *n;
    bool => bool: |b| *b;
    ErrorCode => i16: |code| code.0;
    i32 => BrokerId: |n| BrokerId(*n);
    i64 => ProducerId: |n| ProducerId(*n);
    &str => StrBytes: |text| StrBytes::from(text.to_string());
    &str => TopicName: |text| TopicName(StrBytes::from(text.to_string()));
    &str => TransactionalId: |text| TransactionalId(StrBytes::from(text.to_string()));
    &str => GroupId: |text| GroupId(StrBytes::from(text.to_string()));
    Cow<'_, str> => GroupId: |text| GroupId(StrBytes::from(text.to_string()));
    Cow<'_, str> => StrBytes: |text| StrBytes::from(text.to_string());
    Cow<'_, str> => TopicName: |text| TopicName(StrBytes::from(text.to_string()));
    &[u8] => Bytes: |bytes| Bytes::copy_from_slice(bytes);
    Bytes => Bytes: |bytes| bytes.clone();
    Records => Option<Bytes>: |records| Some(records.0.concat().into());
}

/// To the oracle's UUID type, whose crate we do not name.
impl<T: FromStr<Err: Debug>> Mirror<T> for TopicId {
    fn mirror(&self, _: &mut Tags<'_>) -> T {
        self.to_string().parse().unwrap()
    }
}

impl<T: Mirror<U>, U> Mirror<Option<U>> for Option<T> {
    fn mirror(&self, tags: &mut Tags<'_>) -> Option<U> {
        self.as_ref().map(|value| value.mirror(tags))
    }
}

impl<T: Mirror<U>, U> Mirror<Vec<U>> for Vec<T> {
    fn mirror(&self, tags: &mut Tags<'_>) -> Vec<U> {
        self.iter().map(|value| value.mirror(tags)).collect()
    }
}

impl<U> Mirror<Vec<U>> for Cow<'_, [i32]>
where
    i32: Mirror<U>,
{
    fn mirror(&self, tags: &mut Tags<'_>) -> Vec<U> {
        self.iter().map(|value| value.mirror(tags)).collect()
    }
}

macro_rules! kept_if_equal {
    ($($type:ty)*) => {$(
        impl Kept for $type {
            fn kept(&self, written: &Self) -> bool {
                self == written
            }
        }
    )*};
}

kept_if_equal!(i8 i16 i32 i64 bool ErrorCode TopicId &str Cow<'_, str> &[u8] Bytes Cow<'_, [i32]>);

impl Kept for Records {
    fn kept(&self, written: &Self) -> bool {
        self.0.concat() == written.0.concat()
    }
}

/// Null may have become the empty value, in a version without null.
impl<T: Kept + Default + PartialEq> Kept for Option<T> {
    fn kept(&self, written: &Self) -> bool {
        match (self, written) {
            (Some(read), Some(written)) => read.kept(written),
            (Some(read), None) => *read == T::default(),
            (None, Some(_)) => false,
            (None, None) => true,
        }
    }
}

impl<T: Kept> Kept for Vec<T> {
    fn kept(&self, written: &Self) -> bool {
        self.len() == written.len() && self.iter().zip(written).all(|(r, w)| r.kept(w))
    }
}
