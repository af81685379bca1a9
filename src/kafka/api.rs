//! The one table of APIs and their versions. ApiVersions advertises it, dispatch
//! and header versions follow it, the tests walk through it. An API stands here
//! when it works, with exactly the versions that work.

use super::wire::Version;

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiSpec {
    /// Kafka's name of the API.
    pub name: &'static str,
    /// Lowest version served.
    pub min: i16,
    /// Highest version served, and advertised.
    pub max: i16,
    /// Lowest version advertised, at most `min`.
    pub advertised_min: i16,
    /// First flexible version (KIP-482), above `max` if there is none.
    pub flexible: i16,
}

macro_rules! apis {
    ($($name:ident $key:literal: $min:literal-$max:literal, flexible $flexible:literal+
       $(, advertised from $advertised:literal)?;)*) => {
        /// An API that this broker serves; the discriminant is Kafka's API key.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("Versions ", $min, " to ", $max, ".")]
                $name = $key,
            )*
        }

        impl ApiKey {
            /// Every API served, by ascending key.
            pub const ALL: &'static [ApiKey] = &[$(ApiKey::$name),*];

            /// The API's row of the table.
            pub const fn spec(self) -> ApiSpec {
                match self {
                    $(ApiKey::$name => {
                        let spec = ApiSpec {
                            name: stringify!($name),
                            min: $min,
                            max: $max,
                            advertised_min: $min,
                            flexible: $flexible,
                        };
                        $(let spec = ApiSpec { advertised_min: $advertised, ..spec };)?
                        spec
                    })*
                }
            }
        }

        impl TryFrom<i16> for ApiKey {
            type Error = i16;
            /// The API of a key; an unknown key comes back as the error.
            fn try_from(key: i16) -> Result<ApiKey, i16> {
                match key {
                    $($key => Ok(ApiKey::$name),)*
                    _ => Err(key),
                }
            }
        }
    };
}

// Produce is advertised from 0 although Kafka 4 serves 3 and up: librdkafka takes
// a higher minimum for a broker without its compression codecs (KAFKA-18659).
apis! {
    Produce 0: 3-13, flexible 9+, advertised from 0;
    Fetch 1: 4-18, flexible 12+;
    ListOffsets 2: 1-11, flexible 6+;
    Metadata 3: 0-13, flexible 9+;
    OffsetCommit 8: 2-10, flexible 8+;
    OffsetFetch 9: 1-10, flexible 6+;
    FindCoordinator 10: 0-6, flexible 3+;
    JoinGroup 11: 0-9, flexible 6+;
    Heartbeat 12: 0-4, flexible 4+;
    LeaveGroup 13: 0-5, flexible 4+;
    SyncGroup 14: 0-5, flexible 4+;
    DescribeGroups 15: 0-6, flexible 5+;
    ListGroups 16: 0-5, flexible 3+;
    ApiVersions 18: 0-4, flexible 3+;
    CreateTopics 19: 2-7, flexible 5+;
    DeleteTopics 20: 1-6, flexible 4+;
    DeleteRecords 21: 0-2, flexible 2+;
    InitProducerId 22: 0-5, flexible 2+;
    OffsetForLeaderEpoch 23: 2-4, flexible 4+;
    DescribeConfigs 32: 1-4, flexible 4+;
    AlterConfigs 33: 0-2, flexible 2+;
    DescribeLogDirs 35: 1-4, flexible 2+;
    CreatePartitions 37: 0-3, flexible 2+;
    DeleteGroups 42: 0-2, flexible 2+;
    ElectLeaders 43: 0-2, flexible 2+;
    IncrementalAlterConfigs 44: 0-1, flexible 1+;
    ListPartitionReassignments 46: 0-0, flexible 0+;
    OffsetDelete 47: 0-0, flexible 1+;
    DescribeCluster 60: 0-2, flexible 0+;
    DescribeProducers 61: 0-0, flexible 0+;
    ConsumerGroupHeartbeat 68: 0-1, flexible 0+;
    ConsumerGroupDescribe 69: 0-1, flexible 0+;
    GetTelemetrySubscriptions 71: 0-0, flexible 0+;
    PushTelemetry 72: 0-0, flexible 0+;
    ListConfigResources 74: 0-1, flexible 0+;
    DescribeTopicPartitions 75: 0-0, flexible 0+;
}

impl ApiKey {
    /// Kafka's number of the API.
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// Kafka's name of the API.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Whether this broker serves that version.
    pub fn serves(self, version: i16) -> bool {
        let spec = self.spec();
        (spec.min..=spec.max).contains(&version)
    }

    /// How that version is written.
    pub fn version(self, number: i16) -> Version {
        Version {
            number,
            flexible: number >= self.spec().flexible,
        }
    }

    /// Whether the response header of that version has tagged fields (header v1).
    /// Never for ApiVersions: its reader does not yet know what the broker speaks (KIP-511).
    pub fn flexible_response_header(self, version: i16) -> bool {
        self != ApiKey::ApiVersions && self.version(version).flexible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        assert!(ApiKey::ALL.is_sorted());
        for &api in ApiKey::ALL {
            let spec = api.spec();
            assert_eq!(ApiKey::try_from(api.key()), Ok(api));
            assert_eq!(api.name(), format!("{api:?}"));
            assert!(
                spec.advertised_min <= spec.min && spec.min <= spec.max,
                "{}",
                spec.name
            );
            assert!(spec.flexible <= spec.max + 1, "{}", spec.name);
            assert!(api.serves(spec.min) && api.serves(spec.max));
            assert!(!api.serves(spec.min - 1) && !api.serves(spec.max + 1));
        }
    }

    #[test]
    fn only_produce_is_advertised_below_what_is_served() {
        for &api in ApiKey::ALL {
            let spec = api.spec();
            assert_eq!(spec.advertised_min < spec.min, api == ApiKey::Produce);
        }
        assert_eq!(ApiKey::Produce.spec().advertised_min, 0);
    }

    #[test]
    fn keys_of_other_apis_are_unknown() {
        for key in [-1, 4, 7, 17, 36, 73, 999, i16::MIN, i16::MAX] {
            assert_eq!(ApiKey::try_from(key), Err(key));
        }
    }
}
