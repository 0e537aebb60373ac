/** Makes in lib/ what runs as one file: the commands, and the migration service for its image. */
import './bundle-program.mjs';
import './bundle-service.mjs';
