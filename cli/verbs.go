package cli

// verbs is the table of everything graft can do, in the order that the help
// shows. A new verb is one file and one row here.
var verbs = []verb{
	denoiseVerb,
	buildVerb,
	inspectVerb,
	checkVerb,
	simplifyVerb,
	runVerb,
	compareVerb,
	artifactsVerb,
	trainVerb,
	pruneVerb,
	exportVerb,
	runtimeVerb,
	completionVerb,
	versionVerb,
}
