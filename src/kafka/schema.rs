//! How a message is declared: [`wire_struct!`](crate::wire_struct) takes a struct
//! whose fields carry their versions in Kafka's own notation, and makes the
//! struct, its defaults, its reader and its writer from that one list.
//!
//! ```text
//! wire_struct! {
//!     /// One partition of a Fetch response.
//!     pub struct PartitionData<'a> {
//!         /// In every version from 4.
//!         [4+] partition_index: i32,
//!         /// From version 5; -1 where the version does not have it.
//!         [5+] log_start_offset: i64 = -1,
//!         /// In versions 4 to 12.
//!         [4-12] topic: &'a str,
//!         /// An array that may be null from version 1 on only.
//!         [0+ null 1+] topics: Option<Vec<Topic<'a>>>,
//!         /// The same of an array that ends with version 7.
//!         [1-7 null 2+] names: Option<Vec<&'a str>>,
//!         /// Tagged field 1 (KIP-482), written only when it differs from its default.
//!         [12+ tag 1] current_leader: LeaderIdAndEpoch,
//!     }
//! }
//! ```
//!
//! Fields stand in wire order, tagged ones last and by ascending tag. A type
//! `Option` without a `null` range may be null in all its versions. Unknown
//! tagged fields are skipped, and never written.

/// Declares one struct of a message; see [`schema`](crate::kafka::schema).
#[macro_export]
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident<$life:lifetime> {
            $($(#[$field_meta:meta])* [$($spec:tt)+] $field:ident: $type:ty $(= $default:expr)?,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name<$life> { $($(#[$field_meta])* pub $field: $type,)* }

        impl<$life> Default for $name<$life> {
            fn default() -> Self {
                $name { $($field: $crate::wire_struct!(@default $($default)?),)* }
            }
        }
        impl<$life> $crate::kafka::wire::Struct for $name<$life> {}
        impl<$life> $crate::kafka::wire::Wire<$life> for $name<$life> {
            $crate::wire_struct!(@body $life; $([$($spec)+] $field)*);
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* [$($spec:tt)+] $field:ident: $type:ty $(= $default:expr)?,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $crate::wire_struct!(@default $($default)?),)* }
            }
        }
        impl $crate::kafka::wire::Struct for $name {}
        impl<'wire> $crate::kafka::wire::Wire<'wire> for $name {
            $crate::wire_struct!(@body 'wire; $([$($spec)+] $field)*);
        }
    };

    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    (@body $life:lifetime; $([$($spec:tt)+] $field:ident)*) => {
        fn read(
            reader: &mut $crate::kafka::reader::Reader<$life>,
            version: $crate::kafka::wire::Version,
        ) -> Result<Self, $crate::kafka::reader::WireError> {
            #[allow(unused_mut, reason = "a struct may have no field in any served version")]
            let mut value = Self::default();
            $($crate::wire_struct!(@read reader, version, value.$field; $($spec)+);)*
            if version.flexible {
                reader.tagged_fields(|tag, reader| {
                    let _ = (tag, &reader);
                    $($crate::wire_struct!(
                        @read_tag tag, reader, version, value.$field; $($spec)+);)*
                    Ok(false)
                })?;
            }
            Ok(value)
        }

        fn write(
            &self,
            rope: &mut $crate::kafka::rope::Rope<'_>,
            version: $crate::kafka::wire::Version,
        ) {
            $($crate::wire_struct!(@write rope, version, self.$field; $($spec)+);)*
            if version.flexible {
                let default = Self::default();
                let _ = &default;
                let tagged = 0 $(+ $crate::wire_struct!(
                    @count version, self.$field, default.$field; $($spec)+))*;
                rope.uvarint(tagged);
                $($crate::wire_struct!(
                    @write_tag rope, version, self.$field, default.$field; $($spec)+);)*
            }
        }
    };

    // An untagged field, where the version has it.
    (@read $reader:ident, $version:ident, $value:ident.$field:ident;
     $min:literal + tag $tag:literal) => {};
    (@read $reader:ident, $version:ident, $value:ident.$field:ident; $($spec:tt)+) => {
        if $crate::wire_struct!(@has $version; $($spec)+) {
            $value.$field = $crate::kafka::wire::Wire::read($reader, $version)?;
            $crate::wire_struct!(@check_null $version, $value.$field; $($spec)+);
        }
    };
    (@write $rope:ident, $version:ident, $self:ident.$field:ident;
     $min:literal + tag $tag:literal) => {};
    (@write $rope:ident, $version:ident, $self:ident.$field:ident;
     $min:literal + null $null:literal +) => {
        if $version.number >= $min {
            $crate::wire_struct!(@write_null $rope, $version, $self.$field, $null);
        }
    };
    (@write $rope:ident, $version:ident, $self:ident.$field:ident;
     $min:literal - $max:literal null $null:literal +) => {
        if ($min..=$max).contains(&$version.number) {
            $crate::wire_struct!(@write_null $rope, $version, $self.$field, $null);
        }
    };
    (@write $rope:ident, $version:ident, $self:ident.$field:ident; $($spec:tt)+) => {
        if $crate::wire_struct!(@has $version; $($spec)+) {
            $crate::kafka::wire::Wire::write(&$self.$field, $rope, $version);
        }
    };

    // A field that may be null from version `null` on, written in a version that has it.
    (@write_null $rope:ident, $version:ident, $self:ident.$field:ident, $null:literal) => {
        if $version.number < $null && $crate::kafka::wire::Nullable::is_null(&$self.$field) {
            let empty = $crate::kafka::wire::Nullable::empty(&$self.$field);
            $crate::kafka::wire::Wire::write(&empty, $rope, $version);
        } else {
            $crate::kafka::wire::Wire::write(&$self.$field, $rope, $version);
        }
    };

    (@check_null $version:ident, $value:ident.$field:ident;
     $min:literal - $max:literal null $null:literal +) => {
        $crate::wire_struct!(@check_null $version, $value.$field; $min + null $null +);
    };
    (@check_null $version:ident, $value:ident.$field:ident;
     $min:literal + null $null:literal +) => {
        if $version.number < $null && $crate::kafka::wire::Nullable::is_null(&$value.$field) {
            return Err($crate::kafka::reader::WireError::Null);
        }
    };
    (@check_null $version:ident, $value:ident.$field:ident; $($spec:tt)+) => {};

    // A tagged field.
    (@read_tag $seen:ident, $reader:ident, $version:ident, $value:ident.$field:ident;
     $min:literal + tag $tag:literal) => {
        if $seen == $tag && $version.number >= $min {
            $value.$field = $crate::kafka::wire::Wire::read($reader, $version)?;
            return Ok(true);
        }
    };
    (@read_tag $seen:ident, $reader:ident, $version:ident, $value:ident.$field:ident;
     $($spec:tt)+) => {};
    (@count $version:ident, $self:ident.$field:ident, $default:ident.$same:ident;
     $min:literal + tag $tag:literal) => {
        u32::from($version.number >= $min && $self.$field != $default.$field)
    };
    (@count $version:ident, $self:ident.$field:ident, $default:ident.$same:ident;
     $($spec:tt)+) => { 0 };
    (@write_tag $rope:ident, $version:ident, $self:ident.$field:ident, $default:ident.$same:ident;
     $min:literal + tag $tag:literal) => {
        if $version.number >= $min && $self.$field != $default.$field {
            $rope.tagged($tag, |rope| {
                $crate::kafka::wire::Wire::write(&$self.$field, rope, $version);
            });
        }
    };
    (@write_tag $rope:ident, $version:ident, $self:ident.$field:ident, $default:ident.$same:ident;
     $($spec:tt)+) => {};

    // Whether the version has the field.
    (@has $version:ident; $min:literal + $($rest:tt)*) => { $version.number >= $min };
    (@has $version:ident; $min:literal - $max:literal $($rest:tt)*) => {
        ($min..=$max).contains(&$version.number)
    };
    (@has $version:ident; $only:literal) => { $version.number == $only };
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use crate::kafka::{Reader, Rope, Version, Wire, WireError};

    wire_struct! {
        /// Every kind of field.
        pub struct Sample<'a> {
            /// Since the beginning.
            [0+] always: i8,
            /// Since version 2, with a default.
            [2+] later: i8 = -1,
            /// Up to version 1.
            [0-1] once: i8,
            /// In version 1 alone.
            [1] only: i8,
            /// May be null since version 2.
            [0+ null 2+] name: Option<&'a str>,
            /// Tagged.
            [2+ tag 0] first: Option<&'a str>,
            /// Tagged, since version 3.
            [3+ tag 1] second: i8 = 5,
        }
    }

    fn version(number: i16) -> Version {
        Version {
            number,
            flexible: number >= 2,
        }
    }

    fn written(value: &Sample<'_>, number: i16) -> Vec<u8> {
        let mut scratch = BytesMut::new();
        let mut rope = Rope::new(&mut scratch);
        value.write(&mut rope, version(number));
        rope.finish().body().to_vec()
    }

    #[test]
    fn each_version_has_its_fields() {
        let all = Sample {
            always: 1,
            later: 2,
            once: 3,
            only: 4,
            name: Some("n"),
            first: Some("f"),
            second: 6,
        };
        let bare = Sample {
            first: None,
            second: 5,
            ..all.clone()
        };
        for (number, value, wire) in [
            (0, &all, &[1u8, 3, 0, 1, b'n'][..]),
            (1, &all, &[1, 3, 4, 0, 1, b'n']),
            (2, &all, &[1, 2, 2, b'n', 1, 0, 2, 2, b'f']),
            (3, &all, &[1, 2, 2, b'n', 2, 0, 2, 2, b'f', 1, 1, 6]),
            (3, &bare, &[1, 2, 2, b'n', 0]),
        ] {
            assert_eq!(written(value, number), wire, "version {number}");
            let frame = Bytes::copy_from_slice(wire);
            let read = Sample::read(&mut Reader::new(&frame), version(number)).unwrap();
            assert_eq!(written(&read, number), wire, "version {number}");
            let default = Sample::default();
            let kept = |has: bool, value: i8, default: i8| if has { value } else { default };
            assert_eq!(read.later, kept(number >= 2, value.later, default.later));
            assert_eq!(read.once, kept(number <= 1, value.once, default.once));
            assert_eq!(read.only, kept(number == 1, value.only, default.only));
            assert_eq!(read.second, kept(number >= 3, value.second, default.second));
            assert_eq!((read.always, read.name), (value.always, value.name));
        }
    }

    #[test]
    fn null_where_the_version_forbids_it() {
        let null = Sample::default();
        assert_eq!(written(&null, 0), [0, 0, 0, 0]);
        assert_eq!(written(&null, 2), [0, 0xff, 0, 0]);
        let frame = Bytes::from_static(&[0, 0, 0xff, 0xff]);
        let refused = Sample::read(&mut Reader::new(&frame), version(0));
        assert_eq!(refused, Err(WireError::Null));
    }

    #[test]
    fn a_field_that_ends_may_be_null_in_between() {
        wire_struct! {
            /// In versions 0 and 1, null in version 1.
            pub struct Brief<'a> {
                /// The field.
                [0-1 null 1+] name: Option<&'a str>,
            }
        }
        for (number, wire) in [(0, &[0u8, 0][..]), (1, &[0xff, 0xff]), (2, &[0])] {
            let mut scratch = BytesMut::new();
            let mut rope = Rope::new(&mut scratch);
            Brief { name: None }.write(&mut rope, version(number));
            assert_eq!(rope.finish().body(), wire, "version {number}");
        }
        let null = Bytes::from_static(&[0xff, 0xff]);
        let read = |number| Brief::read(&mut Reader::new(&null), version(number));
        assert_eq!(read(0), Err(WireError::Null));
        assert_eq!(read(1), Ok(Brief { name: None }));
    }

    #[test]
    fn a_tag_of_a_later_version_is_skipped() {
        let frame = Bytes::from_static(&[0, 0xff, 0, 1, 1, 1, 6]);
        let read = |number| Sample::read(&mut Reader::new(&frame), version(number)).unwrap();
        assert_eq!(read(2).second, 5);
        assert_eq!(read(3).second, 6);
    }
}
