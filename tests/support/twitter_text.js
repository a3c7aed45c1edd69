// Reads a JSON list of texts; writes what X's own library sees in each: links, mentions, hashtags, cashtags, weight.
// The end of a link is where its weight ends: its own end leaves out parts of a mixed domain.
const x = require('twitter-text');
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const seen = texts.map((text) => [
  x.extractUrlsWithIndices(text).map(({ url, indices }) => [indices[0], indices[0] + url.length]),
  x.extractMentionsOrListsWithIndices(text).map((mention) => mention.screenName),
  x.extractHashtags(text),
  x.extractCashtags(text),
  x.parseTweet(text).weightedLength,
]);
process.stdout.write(JSON.stringify(seen));
