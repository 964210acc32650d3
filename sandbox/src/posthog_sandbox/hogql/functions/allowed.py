"""The functions that a query can call. All others are rejected.

Each entry has ClickHouse's name, the minimum and maximum number of arguments (`*`: any number), and the result. A
result is a kind of `values`, or `argN` for the type of an argument. `?` marks results that can be null for any
arguments, `!` results that are never null. No function here reads files, the network, the server's settings or its
dictionaries.
"""

from __future__ import annotations

SCALAR = """
plus 2 2 unknown | minus 2 2 unknown | multiply 2 2 unknown | divide 2 2 float | intDiv 2 2 integer
intDivOrZero 2 2 integer | modulo 2 2 unknown | moduloOrZero 2 2 unknown | positiveModulo 2 2 unknown
negate 1 1 arg0 | abs 1 1 arg0 | gcd 2 2 integer | lcm 2 2 integer | max2 2 2 arg0 | min2 2 2 arg0
multiplyDecimal 2 3 unknown | divideDecimal 2 3 unknown | greatest 1 * arg0 | least 1 * arg0
and 2 * boolean | or 2 * boolean | xor 2 * boolean | not 1 1 boolean
if 3 3 arg1 | multiIf 3 * arg1 | coalesce 1 * arg0 | ifNull 2 2 arg0 | nullIf 2 2 arg0? | assumeNotNull 1 1 arg0!
isNull 1 1 boolean! | isNotNull 1 1 boolean! | isZeroOrNull 1 1 boolean! | toNullable 1 1 arg0?
empty 1 1 boolean | notEmpty 1 1 boolean | length 1 1 integer | reverse 1 1 arg0
array 0 * array! | range 1 3 array | arrayConcat 1 * array | arrayElement 2 2 unknown? | has 2 2 boolean
hasAll 2 2 boolean | hasAny 2 2 boolean | hasSubstr 2 2 boolean | indexOf 2 2 integer | arrayCount 1 * integer
countEqual 2 2 integer | arrayEnumerate 1 1 array | arrayEnumerateUniq 1 * array | arrayEnumerateDense 1 * array
arrayPopBack 1 1 array | arrayPopFront 1 1 array | arrayPushBack 2 2 array | arrayPushFront 2 2 array
arrayResize 2 3 array | arraySlice 2 3 array | arraySort 1 * array | arrayReverseSort 1 * array
arrayPartialSort 2 * array | arrayShuffle 1 2 array | arrayUniq 1 * integer | arrayJoin 1 1 unknown?
arrayDifference 1 1 array | arrayDistinct 1 1 array | arrayIntersect 1 * array | arrayReverse 1 1 array
arrayFilter 2 * array | arrayFlatten 1 1 array | flatten 1 1 array | arrayCompact 1 * array | arrayZip 1 * array
arrayAUC 2 2 float | arrayMap 2 * array | arrayFill 2 * array | arrayReverseFill 2 * array | arraySplit 2 * array
arrayReverseSplit 2 * array | arrayExists 1 * boolean | arrayAll 1 * boolean | arrayFirst 2 * unknown?
arrayLast 2 * unknown? | arrayFirstIndex 2 * integer | arrayLastIndex 2 * integer | arrayMin 1 * unknown?
arrayMax 1 * unknown? | arraySum 1 * unknown? | arrayAvg 1 * float | arrayCumSum 1 * array
arrayCumSumNonNegative 1 * array | arrayProduct 1 1 float | arrayFold 3 * unknown? | arrayStringConcat 1 2 string
arrayRotateLeft 2 2 array | arrayRotateRight 2 2 array | arrayUnion 1 * array | arrayWithConstant 2 2 array
emptyArrayString 0 0 array | emptyArrayUInt64 0 0 array
tuple 0 * tuple! | tupleElement 2 3 unknown? | tupleConcat 1 * tuple | tuplePlus 2 2 tuple | tupleMinus 2 2 tuple
map 0 * unknown! | mapFromArrays 2 2 unknown | mapKeys 1 1 array | mapValues 1 1 array | mapContains 2 2 boolean
mapAdd 1 * unknown | mapSubtract 1 * unknown | mapFilter 2 2 unknown | mapApply 2 2 unknown | mapSort 1 2 unknown
toString 1 2 string | toBool 1 1 boolean | toTypeName 1 1 string! | toJSONString 1 1 string | toFixedString 2 2 string
toInt8 1 1 integer | toInt16 1 1 integer | toInt32 1 1 integer | toInt64 1 1 integer | toUInt8 1 1 integer
toUInt16 1 1 integer | toUInt32 1 1 integer | toUInt64 1 1 integer | toFloat32 1 1 float | toFloat64 1 1 float
toInt32OrNull 1 1 integer? | toInt64OrNull 1 1 integer? | toUInt64OrNull 1 1 integer? | toFloat64OrNull 1 1 float?
toInt32OrZero 1 1 integer! | toInt64OrZero 1 1 integer! | toUInt64OrZero 1 1 integer! | toFloat64OrZero 1 1 float!
toInt64OrDefault 1 2 integer! | toFloat64OrDefault 1 2 float! | toDecimal32 2 2 float | toDecimal64 2 2 float
toUUIDOrNull 1 1 uuid? | toUUIDOrZero 1 1 uuid! | toUUIDOrDefault 1 2 uuid! | reinterpretAsUInt64 1 1 integer
reinterpretAsString 1 1 string | toDateOrNull 1 1 date? | toDateOrZero 1 1 date! | toDate32 1 1 date
toDateTimeOrNull 1 2 datetime? | toDateTimeOrZero 1 2 datetime! | toDateTime64 2 3 datetime
toDateTime64OrNull 2 3 datetime? | parseDateTime 2 3 datetime | parseDateTimeOrNull 2 3 datetime?
parseDateTimeBestEffort 1 2 datetime | parseDateTimeBestEffortOrNull 1 2 datetime?
parseDateTimeBestEffortOrZero 1 2 datetime! | parseDateTimeBestEffortUS 1 2 datetime
parseDateTime64BestEffort 1 3 datetime | parseDateTime64BestEffortOrNull 1 3 datetime?
parseDateTime64BestEffortOrZero 1 3 datetime!
timeSlot 1 1 datetime | toTimeZone 2 2 datetime | timeZoneOf 1 1 string | timeZoneOffset 1 1 integer
toYear 1 1 integer | toQuarter 1 1 integer | toMonth 1 1 integer | toDayOfYear 1 1 integer | toDayOfMonth 1 1 integer
toDayOfWeek 1 3 integer | toHour 1 1 integer | toMinute 1 1 integer | toSecond 1 1 integer | toMillisecond 1 1 integer
toUnixTimestamp 1 2 integer | toUnixTimestamp64Milli 1 1 integer | toUnixTimestamp64Micro 1 1 integer
toUnixTimestamp64Nano 1 1 integer | fromUnixTimestamp 1 1 datetime | fromUnixTimestamp64Milli 1 2 datetime
fromUnixTimestamp64Micro 1 2 datetime | toStartOfYear 1 1 date | toStartOfISOYear 1 1 date | toStartOfQuarter 1 1 date
toStartOfMonth 1 1 date | toLastDayOfMonth 1 1 date | toLastDayOfWeek 1 2 date | toMonday 1 1 date
toStartOfDay 1 2 datetime | toStartOfHour 1 1 datetime | toStartOfMinute 1 1 datetime | toStartOfSecond 1 1 datetime
toStartOfFiveMinutes 1 1 datetime | toStartOfTenMinutes 1 1 datetime | toStartOfFifteenMinutes 1 1 datetime
toStartOfInterval 2 4 datetime | toTime 1 1 datetime | toRelativeYearNum 1 1 integer | toRelativeMonthNum 1 1 integer
toRelativeWeekNum 1 1 integer | toRelativeDayNum 1 1 integer | toRelativeHourNum 1 1 integer | toISOYear 1 1 integer
toISOWeek 1 1 integer | toWeek 1 3 integer | toYearWeek 1 3 integer | toYYYYMM 1 1 integer | toYYYYMMDD 1 1 integer
toYYYYMMDDhhmmss 1 1 integer | age 3 4 integer | dateDiff 3 4 integer | dateTrunc 2 3 datetime | dateName 2 3 string
monthName 1 1 string | formatDateTime 2 3 string | makeDate 3 3 date | makeDateTime 6 7 datetime
addYears 2 2 arg0 | addQuarters 2 2 arg0 | addMonths 2 2 arg0 | addWeeks 2 2 arg0 | addDays 2 2 arg0
addHours 2 2 datetime | addMinutes 2 2 datetime | addSeconds 2 2 datetime | addInterval 2 2 arg0
subtractYears 2 2 arg0 | subtractQuarters 2 2 arg0 | subtractMonths 2 2 arg0 | subtractWeeks 2 2 arg0
subtractDays 2 2 arg0 | subtractHours 2 2 datetime | subtractMinutes 2 2 datetime | subtractSeconds 2 2 datetime
toIntervalSecond 1 1 interval | toIntervalMinute 1 1 interval | toIntervalHour 1 1 interval
toIntervalDay 1 1 interval | toIntervalWeek 1 1 interval | toIntervalMonth 1 1 interval
toIntervalQuarter 1 1 interval | toIntervalYear 1 1 interval
lower 1 1 string | upper 1 1 string | lowerUTF8 1 1 string | upperUTF8 1 1 string | lengthUTF8 1 1 integer
leftPad 2 3 string | rightPad 2 3 string | leftPadUTF8 2 3 string | rightPadUTF8 2 3 string | left 2 2 string
right 2 2 string | leftUTF8 2 2 string | rightUTF8 2 2 string | toValidUTF8 1 1 string | format 2 * string
reverseUTF8 1 1 string | substring 2 3 string | substringUTF8 2 3 string | appendTrailingCharIfAbsent 2 2 string
base58Encode 1 1 string | base58Decode 1 1 string | base64Encode 1 1 string | base64Decode 1 1 string
tryBase64Decode 1 1 string | hex 1 1 string | unhex 1 1 string | bin 1 1 string | startsWith 2 2 boolean
endsWith 2 2 boolean | trimLeft 1 2 string | trimRight 1 2 string | trimBoth 1 2 string | repeat 2 2 string
encodeXMLComponent 1 1 string | decodeXMLComponent 1 1 string | extractTextFromHTML 1 1 string | ascii 1 1 integer
concatWithSeparator 1 * string | soundex 1 1 string | initcap 1 1 string | space 1 1 string
replace 3 3 string | replaceAll 3 3 string | replaceOne 3 3 string | replaceRegexpAll 3 3 string
replaceRegexpOne 3 3 string | regexpQuoteMeta 1 1 string | translate 3 3 string | translateUTF8 3 3 string
position 2 3 integer | positionCaseInsensitive 2 3 integer | positionUTF8 2 3 integer | locate 2 3 integer
multiSearchAny 2 2 boolean | multiSearchAnyCaseInsensitive 2 2 boolean | multiSearchFirstIndex 2 2 integer
multiMatchAny 2 2 boolean | multiMatchAnyIndex 2 2 integer | extract 2 2 string | extractAll 2 2 array
extractAllGroups 2 2 array | extractGroups 2 2 array | match 2 2 boolean | countSubstrings 2 3 integer
countSubstringsCaseInsensitive 2 3 integer | countMatches 2 2 integer | regexpExtract 2 3 string
levenshteinDistance 2 2 integer | ngramDistance 2 2 float | hasToken 2 2 boolean | hasTokenCaseInsensitive 2 2 boolean
splitByChar 2 3 array | splitByString 2 3 array | splitByRegexp 2 3 array | splitByWhitespace 1 2 array
splitByNonAlpha 1 2 array | alphaTokens 1 2 array | ngrams 2 2 array
protocol 1 1 string | domain 1 1 string | domainWithoutWWW 1 1 string | topLevelDomain 1 1 string
firstSignificantSubdomain 1 1 string | cutToFirstSignificantSubdomain 1 1 string
cutToFirstSignificantSubdomainWithWWW 1 1 string | port 1 2 integer | path 1 1 string | pathFull 1 1 string
queryString 1 1 string | fragment 1 1 string | queryStringAndFragment 1 1 string | extractURLParameter 2 2 string
extractURLParameters 1 1 array | extractURLParameterNames 1 1 array | URLHierarchy 1 1 array
URLPathHierarchy 1 1 array | encodeURLComponent 1 1 string | decodeURLComponent 1 1 string
encodeURLFormComponent 1 1 string | decodeURLFormComponent 1 1 string | netloc 1 1 string | cutWWW 1 1 string
cutQueryString 1 1 string | cutFragment 1 1 string | cutQueryStringAndFragment 1 1 string | cutURLParameter 2 2 string
isValidJSON 1 1 boolean | JSONHas 1 * boolean | JSONLength 1 * integer | JSONArrayLength 1 1 integer?
JSONType 1 * string | JSONExtract 2 * unknown? | JSONExtractUInt 1 * integer | JSONExtractInt 1 * integer
JSONExtractFloat 1 * float | JSONExtractBool 1 * boolean | JSONExtractString 1 * string | JSONExtractRaw 1 * string
JSONExtractArrayRaw 1 * array | JSONExtractKeys 1 * array | JSONExtractKeysAndValues 2 * array
JSONExtractKeysAndValuesRaw 1 * array | JSON_VALUE 2 2 string | JSON_QUERY 2 2 string | JSON_EXISTS 2 2 boolean
simpleJSONHas 2 2 boolean | simpleJSONExtractString 2 2 string | simpleJSONExtractFloat 2 2 float
simpleJSONExtractInt 2 2 integer | simpleJSONExtractBool 2 2 boolean | simpleJSONExtractRaw 2 2 string
floor 1 2 arg0 | ceil 1 2 arg0 | trunc 1 2 arg0 | round 1 2 arg0 | roundBankers 1 2 arg0 | roundDown 2 2 arg0
roundToExp2 1 1 arg0 | roundAge 1 1 integer | roundDuration 1 1 integer
e 0 0 float | pi 0 0 float | exp 1 1 float | exp2 1 1 float | exp10 1 1 float | log 1 1 float | log2 1 1 float
log10 1 1 float | log1p 1 1 float | ln 1 1 float | sqrt 1 1 float | cbrt 1 1 float | pow 2 2 float | power 2 2 float
erf 1 1 float | erfc 1 1 float | lgamma 1 1 float | tgamma 1 1 float | sin 1 1 float | cos 1 1 float | tan 1 1 float
asin 1 1 float | acos 1 1 float | atan 1 1 float | atan2 2 2 float | sinh 1 1 float | cosh 1 1 float | tanh 1 1 float
hypot 2 2 float | degrees 1 1 float | radians 1 1 float | sign 1 1 integer | factorial 1 1 integer
widthBucket 4 4 integer | isFinite 1 1 boolean | isInfinite 1 1 boolean | isNaN 1 1 boolean | ifNotFinite 2 2 arg0
bitAnd 2 2 integer | bitOr 2 2 integer | bitXor 2 2 integer | bitNot 1 1 integer | bitShiftLeft 2 2 integer
bitShiftRight 2 2 integer | bitTest 2 2 boolean | bitCount 1 1 integer | bitmapBuild 1 1 unknown
rand 0 1 integer | rand64 0 1 integer | randUniform 2 2 float | randNormal 2 2 float | generateUUIDv4 0 1 uuid
halfMD5 1 * integer | MD5 1 1 string | SHA1 1 1 string | SHA224 1 1 string | SHA256 1 1 string | SHA512 1 1 string
intHash32 1 1 integer | intHash64 1 1 integer | cityHash64 1 * integer | sipHash64 1 * integer | sipHash128 1 * string
farmHash64 1 * integer | murmurHash2_64 1 * integer | murmurHash3_64 1 * integer | xxHash32 1 1 integer
xxHash64 1 1 integer | xxh3 1 1 integer | javaHash 1 1 integer | URLHash 1 2 integer
IPv4NumToString 1 1 string | IPv4StringToNum 1 1 integer | IPv4StringToNumOrNull 1 1 integer? | isIPv4String 1 1 boolean
isIPv6String 1 1 boolean | isIPAddressInRange 2 2 boolean | toIPv4OrNull 1 1 unknown? | toIPv6OrNull 1 1 unknown?
geoDistance 4 4 float | greatCircleDistance 4 4 float | greatCircleAngle 4 4 float | pointInPolygon 2 2 boolean
transform 3 4 unknown? | bar 3 4 string | formatReadableSize 1 1 string | formatReadableQuantity 1 1 string
formatReadableDecimalSize 1 1 string | formatReadableTimeDelta 1 3 string | materialize 1 1 arg0 | identity 1 1 arg0
UUIDStringToNum 1 1 string | UUIDNumToString 1 1 string | toLowCardinality 1 1 arg0
grouping 1 * integer! | timestampDiff 3 3 integer | lcase 1 1 string | ucase 1 1 string
toUInt128 1 1 integer | timeSlots 2 3 array | toModifiedJulianDayOrNull 1 1 integer?
fromModifiedJulianDayOrNull 1 1 string? | fromUnixTimestamp64Nano 1 2 datetime
isValidUTF8 1 1 boolean | tryBase58Decode 1 1 string
positionCaseInsensitiveUTF8 2 3 integer | multiSearchAllPositions 2 2 array
multiSearchAllPositionsUTF8 2 2 array | multiSearchAllPositionsCaseInsensitive 2 2 array
multiSearchAllPositionsCaseInsensitiveUTF8 2 2 array | multiSearchFirstPosition 2 2 integer
multiSearchFirstPositionUTF8 2 2 integer | multiSearchFirstPositionCaseInsensitive 2 2 integer
multiSearchFirstPositionCaseInsensitiveUTF8 2 2 integer | multiSearchFirstIndexUTF8 2 2 integer
multiSearchFirstIndexCaseInsensitive 2 2 integer | multiSearchFirstIndexCaseInsensitiveUTF8 2 2 integer
multiSearchAnyUTF8 2 2 boolean | multiSearchAnyCaseInsensitiveUTF8 2 2 boolean | multiMatchAllIndices 2 2 array
multiFuzzyMatchAny 3 3 boolean | multiFuzzyMatchAnyIndex 3 3 integer | multiFuzzyMatchAllIndices 3 3 array
extractAllGroupsHorizontal 2 2 array | extractAllGroupsVertical 2 2 array | ngramDistanceUTF8 2 2 float
ngramDistanceCaseInsensitive 2 2 float | ngramDistanceCaseInsensitiveUTF8 2 2 float | ngramSearch 2 2 float
ngramSearchUTF8 2 2 float | ngramSearchCaseInsensitive 2 2 float | ngramSearchCaseInsensitiveUTF8 2 2 float
countSubstringsCaseInsensitiveUTF8 2 3 integer | countMatchesCaseInsensitive 2 2 integer | hasSubsequence 2 2 boolean
hasSubsequenceUTF8 2 2 boolean | hasSubsequenceCaseInsensitive 2 2 boolean
hasSubsequenceCaseInsensitiveUTF8 2 2 boolean | hasTokenOrNull 2 2 boolean? | hasTokenCaseInsensitiveOrNull 2 2 boolean?
hasAllTokens 2 2 boolean | hasAnyTokens 2 2 boolean | tokens 1 2 array
intExp2 1 1 integer | intExp10 1 1 integer | acosh 1 1 float | asinh 1 1 float | atanh 1 1 float
mapPopulateSeries 1 3 unknown | mapContainsKeyLike 2 2 boolean | mapExtractKeyLike 2 2 unknown | mapUpdate 2 2 unknown
bitRotateLeft 2 2 integer | bitRotateRight 2 2 integer | bitSlice 2 3 string | bitTestAll 3 * boolean
bitTestAny 3 * boolean | bitHammingDistance 2 2 integer | bitmapToArray 1 1 array | bitmapSubsetInRange 3 3 unknown
bitmapSubsetLimit 3 3 unknown | subBitmap 3 3 unknown | bitmapContains 2 2 boolean | bitmapHasAny 2 2 boolean
bitmapHasAll 2 2 boolean | bitmapCardinality 1 1 integer | bitmapMin 1 1 integer | bitmapMax 1 1 integer
bitmapTransform 3 3 unknown | bitmapAnd 2 2 unknown | bitmapOr 2 2 unknown | bitmapXor 2 2 unknown
bitmapAndnot 2 2 unknown | bitmapAndCardinality 2 2 integer | bitmapOrCardinality 2 2 integer
bitmapXorCardinality 2 2 integer | bitmapAndnotCardinality 2 2 integer
pointInEllipses 6 * boolean | geohashEncode 2 3 string | geohashDecode 1 1 tuple | geohashesInBox 5 5 array
h3IsValid 1 1 boolean | h3GetResolution 1 1 integer | geoToH3 3 3 integer | h3ToGeo 1 1 tuple | h3kRing 2 2 array
h3ToString 1 1 string | stringToH3 1 1 integer | h3ToParent 2 2 integer
tupleHammingDistance 2 2 integer | tupleToNameValuePairs 1 1 array | tupleMultiply 2 2 tuple | tupleDivide 2 2 tuple
tupleNegate 1 1 tuple | tupleMultiplyByNumber 2 2 tuple | tupleDivideByNumber 2 2 tuple | dotProduct 2 2 float
tumble 2 3 tuple | hop 3 4 tuple | tumbleStart 1 3 datetime | tumbleEnd 1 3 datetime | hopStart 1 3 datetime
hopEnd 1 3 datetime | L1Norm 1 1 float | L2Norm 1 1 float | LinfNorm 1 1 float | LpNorm 2 2 float | L1Distance 2 2 float
L2Distance 2 2 float | LinfDistance 2 2 float | LpDistance 3 3 float | L1Normalize 1 1 tuple | L2Normalize 1 1 tuple
LinfNormalize 1 1 tuple | LpNormalize 2 2 tuple | cosineDistance 2 2 float | indexHint 1 * boolean
reinterpretAsUInt8 1 1 integer | reinterpretAsUInt16 1 1 integer | reinterpretAsUInt32 1 1 integer
reinterpretAsUInt128 1 1 integer | reinterpretAsUInt256 1 1 integer | reinterpretAsInt8 1 1 integer
reinterpretAsInt16 1 1 integer | reinterpretAsInt32 1 1 integer | reinterpretAsInt64 1 1 integer
reinterpretAsInt128 1 1 integer | reinterpretAsInt256 1 1 integer | reinterpretAsFloat32 1 1 float
reinterpretAsFloat64 1 1 float | reinterpretAsUUID 1 1 uuid | rowNumberInBlock 0 0 integer
rowNumberInAllBlocks 0 0 integer
"""

AGGREGATE = """
count 0 * integer! | min 1 1 arg0 | max 1 1 arg0 | sum 1 1 unknown | avg 1 1 float | any 1 1 arg0 | anyLast 1 1 arg0
anyHeavy 1 1 arg0 | any_value 1 1 arg0 | first_value 1 1 arg0? | last_value 1 1 arg0? | argMin 2 2 arg0
argMax 2 2 arg0
stddevPop 1 1 float | stddevSamp 1 1 float | varPop 1 1 float | varSamp 1 1 float | covarPop 2 2 float
covarSamp 2 2 float | corr 2 2 float | avgWeighted 2 2 float | kurtPop 1 1 float | kurtSamp 1 1 float
skewPop 1 1 float | skewSamp 1 1 float | entropy 1 * float | groupArray 1 1 array! | groupUniqArray 1 1 array!
groupArrayInsertAt 2 2 array! | groupArrayMovingAvg 1 1 array! | groupArrayMovingSum 1 1 array!
groupArraySample 1 1 array! | groupArraySorted 1 1 array! | groupArrayLast 1 1 array! | groupArrayIntersect 1 1 array!
groupBitAnd 1 1 integer | groupBitOr 1 1 integer | groupBitXor 1 1 integer | groupBitmap 1 1 integer
groupConcat 1 2 string
sumWithOverflow 1 1 unknown | sumKahan 1 1 float | sumCount 1 1 tuple | sumMap 1 * unknown | minMap 1 * unknown
maxMap 1 * unknown | uniq 1 * integer! | uniqExact 1 * integer! | uniqCombined 1 * integer!
uniqCombined64 1 * integer!
uniqHLL12 1 * integer! | uniqUpTo 1 * integer! | quantile 1 1 float | quantiles 1 1 array
quantileExact 1 1 arg0 | quantilesExact 1 1 array | quantileExactLow 1 1 arg0 | quantileExactHigh 1 1 arg0
quantileExactInclusive 1 1 float | quantileExactExclusive 1 1 float | quantileExactWeighted 2 2 arg0
quantilesExactWeighted 2 2 array | quantileTiming 1 1 float | quantilesTiming 1 1 array | quantileTDigest 1 1 float
quantilesTDigest 1 1 array | quantileTDigestWeighted 2 2 float | quantileBFloat16 1 1 float
quantileDeterministic 2 2 float | quantilesDeterministic 2 2 array | median 1 1 float | medianExact 1 1 arg0
medianExactWeighted 2 2 arg0 | medianTDigest 1 1 float | medianTiming 1 1 float | medianBFloat16 1 1 float
medianDeterministic 2 2 float | simpleLinearRegression 2 2 tuple | topK 1 1 array! | topKWeighted 2 2 array!
histogram 1 1 array | sequenceMatch 2 * boolean | sequenceCount 2 * integer | windowFunnel 2 * integer
retention 1 * array | deltaSum 1 1 unknown | deltaSumTimestamp 2 2 unknown | boundingRatio 2 2 float
exponentialMovingAverage 2 2 float | maxIntersections 2 2 integer | maxIntersectionsPosition 2 2 unknown
intervalLengthSum 2 2 unknown | mannWhitneyUTest 2 2 tuple | studentTTest 2 2 tuple | welchTTest 2 2 tuple
rankCorr 2 2 float | cramersV 2 2 float | contingency 2 2 float | categoricalInformationValue 2 * array
singleValueOrNull 1 1 arg0? | groupBitmapAnd 1 1 integer | groupBitmapOr 1 1 integer | groupBitmapXor 1 1 integer
medianExactLow 1 1 arg0 | medianExactHigh 1 1 arg0 | medianTimingWeighted 2 2 float | medianTDigestWeighted 2 2 float
cramersVBiasCorrected 2 2 float | theilsU 2 2 float
"""

WINDOW = """
row_number 0 0 integer! | rank 0 0 integer! | dense_rank 0 0 integer! | percent_rank 0 0 float! | cume_dist 0 0 float!
ntile 1 1 integer! | lag 1 3 arg0? | lead 1 3 arg0? | lagInFrame 1 3 arg0? | leadInFrame 1 3 arg0? | nth_value 2 2 arg0?
nonNegativeDerivative 2 3 float?
"""

COMBINATORS = ("If", "Array", "Distinct", "OrNull", "OrDefault", "State", "Merge", "Map", "ForEach", "ArgMin", "ArgMax")
"""Suffixes of aggregate names, one or more at a time: `countIf`, `sumArrayIf`, `countDistinctIf`."""

HOGQL_NAMES = {
    "trim": "trimBoth", "ltrim": "trimLeft", "rtrim": "trimRight", "char_length": "lengthUTF8",
    "charLength": "lengthUTF8", "ceiling": "ceil", "truncate": "trunc", "mod": "modulo", "substr": "substring",
    "mid": "substring", "lcase": "lower", "ucase": "upper", "date_trunc": "dateTrunc",
    "date_diff": "dateDiff", "timestamp_diff": "dateDiff", "date_format": "formatDateTime",
    "dayOfMonth": "toDayOfMonth",
    "day": "toDayOfMonth", "month": "toMonth", "year": "toYear", "quarter": "toQuarter", "hour": "toHour",
    "minute": "toMinute", "second": "toSecond", "dayOfWeek": "toDayOfWeek", "dayOfYear": "toDayOfYear",
    "last_day": "toLastDayOfMonth", "from_unixtime": "fromUnixTimestamp", "toFloatOrZero": "toFloat64OrZero",
    "toIntOrZero": "toInt64OrZero", "toFloatOrDefault": "toFloat64OrDefault", "toIntOrDefault": "toInt64OrDefault",
    "denseRank": "dense_rank", "splitByWhiteSpace": "splitByWhitespace", "regexp_extract": "regexpExtract",
    "stddev_pop": "stddevPop", "stddev_samp": "stddevSamp", "var_pop": "varPop", "var_samp": "varSamp",
    "countDistinct": "countDistinct", "rand32": "rand", "toModifiedJulianDay": "toModifiedJulianDayOrNull",
    "fromModifiedJulianDay": "fromModifiedJulianDayOrNull", "to_char": "formatDateTime", "make_date": "makeDate",
    "lpad": "leftPad", "rpad": "rightPad", "btrim": "trimBoth", "width_bucket": "widthBucket",
    "toNullableString": "toString", "array_agg": "groupArray", "uniqTheta": "uniq",
    "_toInt8": "toInt8", "_toInt16": "toInt16", "_toInt32": "toInt32", "_toInt64": "toInt64",
    "_toUInt64": "toUInt64", "_toUInt128": "toUInt128",
}  # fmt: skip
"""HogQL names of functions that have another name in ClickHouse."""

COMPARISONS = {
    "equals": "==", "notEquals": "!=", "less": "<", "greater": ">", "lessOrEquals": "<=", "greaterOrEquals": ">=",
    "like": "like", "ilike": "ilike", "notLike": "not like", "notILike": "not ilike", "in": "in", "notIn": "not in",
    "globalIn": "global in", "globalNotIn": "global not in", "match": "=~",
}  # fmt: skip
"""Function names of comparisons, and their operators."""
