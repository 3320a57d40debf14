package rewrite

var normPatterns = []pattern{}
