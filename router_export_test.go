package notify

// RaceBuild tells whether the race detector is on.
const RaceBuild = raceBuild
