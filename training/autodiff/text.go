package autodiff

// Operators on strings: nothing flows back through text.
var texts = []row{
	{op: "RegexFullMatch", zero: true},
	{op: "StringConcat", zero: true},
	{op: "StringSplit", zero: true},
	{op: "StringNormalizer", zero: true},
	{op: "TfIdfVectorizer", zero: true},
}
