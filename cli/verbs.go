package cli

// verbs is the table of everything graft can do, in the order that the help
// shows. A new verb is one file and one row here.
var verbs = []verb{
	denoiseVerb,
	studyVerb,
	buildVerb,
	inspectVerb,
	checkVerb,
	simplifyVerb,
	runVerb,
	compareVerb,
	diffVerb,
	benchVerb,
	verifyVerb,
	artifactsVerb,
	trainVerb,
	learnOperatorVerb,
	certifyVerb,
	biasVerb,
	counterfactualVerb,
	pruneVerb,
	exportVerb,
	unpackVerb,
	convertVerb,
	pipelineVerb,
	runtimeVerb,
	completionVerb,
	manVerb,
	versionVerb,
	onnxGoVerb,
}
